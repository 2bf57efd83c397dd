"""Forms of the account pages."""
from flask_wtf import FlaskForm
from wtforms import BooleanField, PasswordField, StringField
from wtforms.validators import DataRequired, Email, EqualTo, Length, ValidationError

from crm.models import User

PASSWORD_LENGTH = Length(min=8, max=128, message="Use 8 to 128 characters.")
NEW_PASSWORD = {"autocomplete": "new-password"}


class LoginForm(FlaskForm):
    email = StringField(
        "E-mail",
        [DataRequired("Enter your e-mail address."), Length(max=120)],
        render_kw={"type": "email", "autocomplete": "username", "autofocus": True},
    )
    password = PasswordField(
        "Password",
        [DataRequired("Enter your password."), Length(max=128)],
        render_kw={"autocomplete": "current-password"},
    )
    remember = BooleanField("Keep me logged in")


class RegisterForm(FlaskForm):
    name = StringField("Name", [DataRequired("Enter your name."), Length(max=80)], render_kw={"autocomplete": "name"})
    email = StringField(
        "E-mail",
        [DataRequired("Enter your e-mail address."), Length(max=120), Email("This is not an e-mail address.")],
        render_kw={"type": "email", "autocomplete": "username"},
    )
    password = PasswordField("Password", [DataRequired("Choose a password."), PASSWORD_LENGTH], render_kw=NEW_PASSWORD)
    confirm = PasswordField("Password again", [EqualTo("password", "The two passwords differ.")], render_kw=NEW_PASSWORD)

    def validate_email(self, field):
        if User.by_email(field.data) is not None:
            raise ValidationError("This address is already registered.")


class ProfileForm(FlaskForm):
    name = StringField("Name", [DataRequired("Enter your name."), Length(max=80)], render_kw={"autocomplete": "name"})


class PasswordForm(FlaskForm):
    current = PasswordField(
        "Current password",
        [DataRequired("Enter your current password."), Length(max=128)],
        render_kw={"autocomplete": "current-password"},
    )
    password = PasswordField("New password", [DataRequired("Choose a password."), PASSWORD_LENGTH], render_kw=NEW_PASSWORD)
    confirm = PasswordField("New password again", [EqualTo("password", "The two passwords differ.")], render_kw=NEW_PASSWORD)
