"""Forms of the administration."""
from flask_wtf import FlaskForm
from wtforms import BooleanField, PasswordField, SelectField, StringField
from wtforms.validators import DataRequired, Email, ValidationError

from crm.blueprints.auth.forms import NEW_PASSWORD, PASSWORD_LENGTH
from crm.fields import RowField
from crm.forms import at_most, strip
from crm.models import ROLES, User

ROLE_CHOICES = [(role, role.capitalize()) for role in ROLES]


def _active_people():
    return User.query.filter_by(active=True).order_by(User.name, User.id)


class CreateUserForm(FlaskForm):
    name = StringField(
        "Name", [DataRequired("Enter a name."), at_most(80)], filters=[strip], render_kw={"autofocus": True}
    )
    email = StringField(
        "E-mail",
        [DataRequired("Enter an e-mail address."), at_most(120), Email("This is not an e-mail address.")],
        filters=[strip],
        render_kw={"type": "email", "autocomplete": "off"},
    )
    role = SelectField("Role", choices=ROLE_CHOICES, default="rep")
    password = PasswordField("First password", [DataRequired("Choose a password."), PASSWORD_LENGTH], render_kw=NEW_PASSWORD)

    def validate_email(self, field):
        if User.by_email(field.data) is not None:
            raise ValidationError("This address is already registered.")


class EditUserForm(FlaskForm):
    name = StringField("Name", [DataRequired("Enter a name."), at_most(80)], filters=[strip])
    role = SelectField("Role", choices=ROLE_CHOICES)
    active = BooleanField("May log in")


class DeactivateForm(FlaskForm):
    """Somebody leaves: who takes over the customers and deals?"""

    successor_id = RowField("Hand customers and open deals over to")

    def offer(self, leaving):
        self.successor_id.offer(_active_people().filter(User.id != leaving.id))


class TokenForm(FlaskForm):
    user_id = SelectField("Acts as", coerce=int)
    name = StringField(
        "What it is for",
        [DataRequired("Say what the token is for."), at_most(80)],
        filters=[strip],
        render_kw={"placeholder": "Nightly export"},
    )

    def offer(self):
        self.user_id.choices = [(person.id, "%s (%s)" % (person.name, person.role)) for person in _active_people()]
