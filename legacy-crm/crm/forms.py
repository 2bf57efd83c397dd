"""Parts of forms that several blueprints use: filters, validators, an amount field."""
import re
from decimal import ROUND_HALF_UP, Decimal

from wtforms import DecimalField, ValidationError
from wtforms.validators import Length
from wtforms.widgets import TextInput

AMOUNT = re.compile(r"^-?[0-9]{1,15}(\.[0-9]{1,15})?$")
CENT = Decimal("0.01")


def strip(value):
    """A form filter: no blanks around; an empty value is None."""
    value = value.strip() if isinstance(value, str) else value
    return value or None


def at_most(length):
    return Length(max=length, message="Use at most %d characters." % length)


def parse_amount(text):
    """Decimal with two places; ValueError for anything but digits with an optional point."""
    if not AMOUNT.match(text):
        raise ValueError("Enter an amount such as 1200 or 99.50.")
    return Decimal(text).quantize(CENT, ROUND_HALF_UP)


class AmountField(DecimalField):
    """Money. Typed as text, because number inputs of browsers disagree about the decimal point."""

    widget = TextInput()

    def process_formdata(self, valuelist):
        text = valuelist[0].strip() if valuelist else ""
        self.data = parse_amount(text) if text else None


class AmountRange:
    """Validator: from 0 to a maximum."""

    def __init__(self, maximum):
        self.maximum = Decimal(maximum)

    def __call__(self, form, field):
        if field.data is not None and not 0 <= field.data <= self.maximum:
            raise ValidationError("Enter an amount between 0 and %s." % "{:,}".format(self.maximum))
