"""Types for reqparse: what they refuse becomes the text of a 400 answer."""
from datetime import datetime

from crm.forms import parse_amount


def text(length):
    """Text without blanks around it, of at most `length` characters."""
    def convert(value):
        if not isinstance(value, str):
            raise ValueError("must be text")
        value = value.strip()
        if len(value) > length:
            raise ValueError("must have at most %d characters" % length)
        return value or None
    return convert


def required_text(length):
    convert = text(length)

    def convert_required(value):
        value = convert(value)
        if value is None:
            raise ValueError("must not be empty")
        return value
    return convert_required


def choice(*choices):
    def convert(value):
        if value not in choices:
            raise ValueError("must be one of " + ", ".join(choices))
        return value
    return convert


def website(value):
    value = text(200)(value)
    if value is not None and not value.startswith(("http://", "https://")):
        raise ValueError("must start with http:// or https://")
    return value


def amount(value):
    """A number, or text that holds one: text keeps its cents exact."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise ValueError("must be a number")
    try:
        parsed = parse_amount(str(value).strip())
    except ValueError:
        raise ValueError("must be a number")
    if not 0 <= parsed <= 999999999999:
        raise ValueError("must be between 0 and 999999999999")
    return parsed


def whole_number(value):
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError("must be a whole number")
    return value


def time(value):
    if not isinstance(value, str):
        raise ValueError("must be a time such as 2024-03-05T14:30:00")
    for layout in ("%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M"):
        try:
            return datetime.strptime(value, layout)
        except ValueError:
            pass
    raise ValueError("must be a time such as 2024-03-05T14:30:00")
