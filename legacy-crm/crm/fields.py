"""Form fields for dates and for links to other rows. The browser's own pickers are used, in ISO format."""
from datetime import datetime

from wtforms import DateField, DateTimeField, SelectField
from wtforms.widgets import TextInput


class DateInput(DateField):
    widget = TextInput()

    def __init__(self, *args, **kwargs):
        kwargs.setdefault("render_kw", {"type": "date"})
        super().__init__(*args, **kwargs)

    def process_formdata(self, valuelist):
        text = valuelist[0].strip() if valuelist else ""
        self.data = None
        if text:
            try:
                self.data = datetime.strptime(text, "%Y-%m-%d").date()
            except ValueError:
                raise ValueError("Enter a date such as 2020-03-31.")


class DateTimeInput(DateTimeField):
    """A moment in UTC, minutes are enough. Browsers leave the seconds out, or send them when they are not zero."""

    widget = TextInput()

    def __init__(self, *args, **kwargs):
        kwargs.setdefault("render_kw", {"type": "datetime-local"})
        kwargs.setdefault("format", "%Y-%m-%dT%H:%M")
        super().__init__(*args, **kwargs)

    def process_formdata(self, valuelist):
        text = valuelist[0].strip() if valuelist else ""
        self.data = None
        if text:
            try:
                self.data = datetime.strptime(text[:16], "%Y-%m-%dT%H:%M")
            except ValueError:
                raise ValueError("Enter a day and a time such as 2020-03-31T14:00.")


def optional_id(value):
    return int(value) if value not in (None, "", "None") else None


class RowField(SelectField):
    """A select of rows by id, where the first choice is no row at all."""

    def __init__(self, label, validators=None, **kwargs):
        super().__init__(label, validators, coerce=optional_id, **kwargs)

    def offer(self, rows, attribute="name"):
        self.choices = [("", "–")] + [(row.id, getattr(row, attribute)) for row in rows]
