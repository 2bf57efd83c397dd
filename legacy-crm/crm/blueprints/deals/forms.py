"""Forms of the deal pages."""
from flask_wtf import FlaskForm
from wtforms import SelectField, StringField
from wtforms.validators import DataRequired, InputRequired, Optional

from crm.fields import DateInput, RowField
from crm.forms import AmountField, AmountRange, at_most, strip
from crm.models import Contact, DealStage, User


class DealForm(FlaskForm):
    title = StringField(
        "Title", [DataRequired("Enter a title."), at_most(160)], filters=[strip], render_kw={"autofocus": True}
    )
    amount = AmountField(
        "Amount (€)", [InputRequired("Enter an amount."), AmountRange(9999999999)], render_kw={"inputmode": "decimal"}
    )
    expected_close = DateInput("Expected close", [Optional()])
    stage_id = SelectField("Stage", coerce=int)
    contact_id = RowField("Contact")
    owner_id = SelectField("Owner", coerce=int)

    def offer(self, customer, user, owner):
        """Fill the selects: open stages, people of the customer, owners (reps only ever choose themselves)."""
        stages = DealStage.in_order().filter_by(status="open")
        self.stage_id.choices = [(stage.id, "%s (%d %%)" % (stage.name, stage.probability)) for stage in stages]
        self.contact_id.offer(Contact.query.filter_by(customer_id=customer.id).order_by(Contact.name, Contact.id))
        people = User.query.filter_by(active=True).order_by(User.name, User.id).all() if user.sees_everything else [user]
        if owner not in people:
            people.append(owner)
        self.owner_id.choices = [(person.id, person.name) for person in people]
        if self.owner_id.data is None:
            self.owner_id.data = owner.id
        if self.stage_id.data is None:
            self.stage_id.data = self.stage_id.choices[0][0]

    def save_to(self, deal):
        for name in ("title", "amount", "expected_close", "contact_id", "owner_id"):
            setattr(deal, name, getattr(self, name).data)


class MoveForm(FlaskForm):
    stage_id = SelectField("Stage", coerce=int)

    def offer(self):
        stages = DealStage.in_order().filter_by(status="open").all()
        self.stage_id.choices = [(stage.id, stage.name) for stage in stages]


class CloseForm(FlaskForm):
    """Won or lost, with a reason; a loss without a reason teaches nobody anything."""

    reason = StringField("Reason", [Optional(), at_most(200)], filters=[strip])


class LoseForm(CloseForm):
    reason = StringField("Reason", [DataRequired("Say why it was lost."), at_most(200)], filters=[strip])
