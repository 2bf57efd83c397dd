"""The form of an activity."""
from flask_wtf import FlaskForm
from wtforms import BooleanField, SelectField, StringField, TextAreaField
from wtforms.validators import DataRequired, Optional, ValidationError

from crm.clock import utcnow
from crm.fields import DateTimeInput, RowField
from crm.forms import at_most, strip
from crm.models import Contact, Deal
from crm.models.activity import KINDS


class ActivityForm(FlaskForm):
    kind = SelectField("Kind", choices=[(kind, kind.capitalize()) for kind in KINDS])
    subject = StringField(
        "Subject", [DataRequired("Enter a subject."), at_most(160)], filters=[strip], render_kw={"autofocus": True}
    )
    due_at = DateTimeInput("Due (UTC)")
    contact_id = RowField("Contact")
    deal_id = RowField("Deal")
    body = TextAreaField("Details", [Optional(), at_most(5000)], filters=[strip])
    done = BooleanField("Done already")

    def offer(self, customer):
        self.contact_id.offer(Contact.query.filter_by(customer_id=customer.id).order_by(Contact.name, Contact.id))
        deals = Deal.query.filter_by(customer_id=customer.id).order_by(Deal.created_at.desc(), Deal.id.desc())
        self.deal_id.offer(deals, "title")

    def validate_due_at(self, field):
        if field.data is None and self.kind.data == "task" and not self.done.data:
            raise ValidationError("Say until when the task is to be done.")

    def save_to(self, activity):
        for name in ("kind", "subject", "due_at", "contact_id", "deal_id", "body"):
            setattr(activity, name, getattr(self, name).data)
        if activity.kind == "note":
            activity.due_at = None
        if self.done.data or activity.kind == "note":
            activity.done_at = activity.done_at or utcnow()
        else:
            activity.done_at = None
