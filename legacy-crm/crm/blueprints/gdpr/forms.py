"""Forms of the GDPR pages. Reasons are chosen, not typed: the audit log must not collect personal data."""
from flask_wtf import FlaskForm
from wtforms import BooleanField, SelectField, SelectMultipleField
from wtforms.validators import DataRequired

from crm.blueprints.contacts.forms import ContactForm

REASONS = (("request", "The person asked for it"), ("mistake", "We found a mistake"), ("change", "The details changed"))


class RectifyForm(ContactForm):
    reason = SelectField("Why", choices=list(REASONS))


class EraseForm(FlaskForm):
    files = SelectMultipleField("Files to delete as well", coerce=int)
    sure = BooleanField("I have checked who asks, and that we must not keep the data", [DataRequired("Confirm this first.")])

    def offer(self, attachments):
        self.files.choices = [(attachment.id, attachment.filename) for attachment in attachments]
