"""The form of a contact."""
from flask_wtf import FlaskForm
from wtforms import StringField
from wtforms.validators import DataRequired, Email, Optional, Regexp

from crm.forms import at_most, strip


class ContactForm(FlaskForm):
    name = StringField(
        "Name", [DataRequired("Enter a name."), at_most(120)], filters=[strip], render_kw={"autofocus": True}
    )
    title = StringField("Title", [Optional(), at_most(80)], filters=[strip])
    email = StringField(
        "E-mail",
        [Optional(), at_most(120), Email("This is not an e-mail address.")],
        filters=[strip],
        render_kw={"type": "email"},
    )
    phone = StringField(
        "Phone",
        [Optional(), at_most(40), Regexp(r"^[0-9+()/. -]+$", message="Use digits, spaces and + ( ) / . - only.")],
        filters=[strip],
        render_kw={"type": "tel"},
    )

    def save_to(self, contact):
        for name in ("name", "title", "email", "phone"):
            setattr(contact, name, getattr(self, name).data)
