"""Customers as CSV. Export streams in chunks; import checks every row with the form and reports those it refuses."""
import csv
import io

from werkzeug.datastructures import MultiDict

from crm.audit import audit
from crm.blueprints.customers.forms import CustomerForm
from crm.extensions import db
from crm.models import Customer, User

EXPORT_COLUMNS = (
    "id", "name", "status", "industry", "city", "country", "website", "phone", "annual_revenue", "owner", "created_at",
    "notes",
)
IMPORT_COLUMNS = (
    "name", "status", "industry", "city", "country", "website", "phone", "annual_revenue", "owner", "notes",
)
# Columns that exports have and imports skip, so that an export can be imported again.
SKIPPED_COLUMNS = ("id", "created_at")
ROWS_PER_CHUNK = 100
MAX_ROWS = 5000
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def _guard(text):
    """Spreadsheets run a cell that starts like a formula; an apostrophe makes it text."""
    return "'" + text if text.startswith(FORMULA_STARTS) else text


def _unguard(text):
    return text[1:] if text[:1] == "'" and text[1:].startswith(FORMULA_STARTS) else text


def _export_row(customer):
    values = [customer.id]
    for column in EXPORT_COLUMNS[1:]:
        if column == "owner":
            value = customer.owner.email
        elif column == "created_at":
            value = customer.created_at.isoformat(timespec="seconds")
        else:
            value = getattr(customer, column)
        values.append("" if value is None else _guard(str(value)))
    return values


def export_chunks(query):
    """The file as text, some rows at a time."""
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow(EXPORT_COLUMNS)
    for number, customer in enumerate(query.yield_per(ROWS_PER_CHUNK), 1):
        writer.writerow(_export_row(customer))
        if number % ROWS_PER_CHUNK == 0:
            yield buffer.getvalue()
            buffer.seek(0)
            buffer.truncate()
    yield buffer.getvalue()


class ImportRefused(Exception):
    """The file as a whole cannot be read; the text says why."""


class Import:
    """One upload: how many customers it made, and (line, message) for each row that it did not take."""

    def __init__(self, user):
        self.user = user
        self.created = 0
        self.errors = []

    def run(self, data):
        """Add the good rows to the session; the caller commits."""
        rows = self._rows(data)
        for line, row in rows:
            problems = self._take(row)
            self.errors.extend((line, problem) for problem in problems)
        if self.created:
            audit("customer.import", "customer", None, created=self.created, refused=len(self.errors))
        return self

    def _rows(self, data):
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError:
            raise ImportRefused("The file is not UTF-8 text.")
        reader = csv.DictReader(io.StringIO(text, newline=""))
        try:
            names = reader.fieldnames or []
            unknown = [name for name in names if name not in IMPORT_COLUMNS + SKIPPED_COLUMNS]
            if unknown:
                raise ImportRefused("Unknown column: %s." % ", ".join(unknown))
            if "name" not in names:
                raise ImportRefused("The first line must name the columns, and `name` must be one of them.")
            rows = [(reader.line_num, row) for row in reader]
        except csv.Error as error:
            raise ImportRefused("The file is not CSV: %s." % error)
        if len(rows) > MAX_ROWS:
            raise ImportRefused("The file has more than %d rows." % MAX_ROWS)
        return rows

    def _take(self, row):
        """Add the customer of one row, or return what is wrong with it."""
        if None in row:
            return ["Too many cells."]
        values = {name: _unguard(row.get(name) or "") for name in IMPORT_COLUMNS}
        values["status"] = values["status"] or "lead"
        owner = self._owner(values.pop("owner"))
        if owner is None:
            return ["Owner: no such person, or not yours to choose."]
        values["owner_id"] = str(owner.id)
        form = CustomerForm(formdata=MultiDict(values), meta={"csrf": False})
        form.offer_owners(self.user)
        if not form.validate():
            return ["%s: %s" % (form[name].label.text, error) for name in form.errors for error in form.errors[name]]
        customer = Customer()
        form.save_to(customer)
        db.session.add(customer)
        self.created += 1
        return []

    def _owner(self, email):
        if not email:
            return self.user
        owner = User.by_email(email)
        if owner is not None and owner.active and (self.user.sees_everything or owner.id == self.user.id):
            return owner
        return None
