"""Calendar months, as reports, the calendar and the forecast use them."""
import re
from datetime import date, datetime

NAMES = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)
KEY = re.compile(r"^([0-9]{4})-(0[1-9]|1[0-2])$")


class Month:
    """One month. `key` is what addresses hold: 2020-03."""

    def __init__(self, year, month):
        self.year = year
        self.month = month

    @classmethod
    def of(cls, day):
        return cls(day.year, day.month)

    @classmethod
    def parse(cls, text):
        """The month of a key, or None for anything else. Years with four digits only, as dates are formatted."""
        match = KEY.match(text or "")
        if match is None or not 1000 <= int(match.group(1)) < 9999:
            return None
        return cls(int(match.group(1)), int(match.group(2)))

    @property
    def key(self):
        return "%04d-%02d" % (self.year, self.month)

    @property
    def label(self):
        return "%s %d" % (NAMES[self.month - 1], self.year)

    @property
    def short_label(self):
        return "%s %d" % (NAMES[self.month - 1][:3], self.year)

    @property
    def next(self):
        return Month(self.year + 1, 1) if self.month == 12 else Month(self.year, self.month + 1)

    @property
    def previous(self):
        return Month(self.year - 1, 12) if self.month == 1 else Month(self.year, self.month - 1)

    @property
    def first_day(self):
        return date(self.year, self.month, 1)

    @property
    def start(self):
        """The first moment of the month; the first moment after it is `next.start`."""
        return datetime(self.year, self.month, 1)
