"""Forms of the customer pages. The CSV import checks its rows with CustomerForm as well."""
from flask_wtf import FlaskForm
from flask_wtf.file import FileAllowed, FileField, FileRequired
from wtforms import SelectField, StringField, TextAreaField
from wtforms.validators import DataRequired, Optional, Regexp

from crm.forms import AmountField, AmountRange, at_most, strip
from crm.models import User
from crm.models.customer import INDUSTRIES, STATUSES

EDITABLE_STATUSES = tuple(status for status in STATUSES if status != "archived")
MAX_REVENUE = 999999999999
COLUMNS = ("name", "status", "industry", "city", "country", "website", "phone", "annual_revenue", "owner_id", "notes")


class CustomerForm(FlaskForm):
    name = StringField(
        "Name", [DataRequired("Enter a name."), at_most(120)], filters=[strip], render_kw={"autofocus": True}
    )
    status = SelectField("Status", choices=[(status, status.capitalize()) for status in EDITABLE_STATUSES], default="lead")
    industry = SelectField("Industry", choices=[("", "–")] + [(name, name) for name in INDUSTRIES], default="")
    city = StringField("City", [Optional(), at_most(80)], filters=[strip])
    country = StringField("Country", [Optional(), at_most(80)], filters=[strip])
    website = StringField(
        "Website",
        [
            Optional(),
            at_most(200),
            Regexp(r"^https?://[^\s/?#]+\.[^\s]+$", message="Enter a full address, such as https://www.example.com."),
        ],
        filters=[strip],
        render_kw={"placeholder": "https://www.example.com"},
    )
    phone = StringField(
        "Phone",
        [Optional(), at_most(40), Regexp(r"^[0-9+()/. -]+$", message="Use digits, spaces and + ( ) / . - only.")],
        filters=[strip],
    )
    annual_revenue = AmountField(
        "Annual revenue (€)", [Optional(), AmountRange(MAX_REVENUE)], render_kw={"inputmode": "decimal"}
    )
    owner_id = SelectField("Owner", coerce=int)
    notes = TextAreaField("Notes", [Optional(), at_most(5000)], filters=[strip])

    def offer_owners(self, user, owner=None):
        """Managers choose among active people and the present owner; reps own what they make."""
        people = [user]
        if user.sees_everything:
            people = User.query.filter_by(active=True).order_by(User.name, User.id).all()
        if owner is not None and owner not in people:
            people.append(owner)
        self.owner_id.choices = [(person.id, person.name) for person in people]
        if self.owner_id.data is None:
            self.owner_id.data = owner.id if owner is not None else user.id

    def save_to(self, customer):
        """Write the values to the row; an archived customer that is edited comes back."""
        for column in COLUMNS:
            setattr(customer, column, getattr(self, column).data)
        customer.industry = self.industry.data or None
        customer.archived_at = None


class ImportForm(FlaskForm):
    file = FileField("CSV file", [FileRequired("Choose a file."), FileAllowed(["csv"], "Only .csv files.")])
