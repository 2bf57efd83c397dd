"""Writes generated rows with multi-row inserts: 127,000 rows one by one would take minutes."""
from psycopg2.extras import execute_values

from crm.encryption import encrypt
from crm.extensions import db
from crm.models import Customer, User
from crm.seed.generate import COLUMNS, Generator

KEPT_TABLES = ("deal_stages",)
ROWS_PER_STATEMENT = 1000


def is_empty():
    return User.query.first() is None and Customer.query.first() is None


def empty():
    """Delete everything but the deal stages, which belong to the schema."""
    tables = [table.name for table in db.metadata.sorted_tables if table.name not in KEPT_TABLES]
    db.session.execute(db.text("TRUNCATE %s RESTART IDENTITY CASCADE" % ", ".join(tables)))


def _encrypted(rows):
    for row in rows:
        values = list(row)
        values[4], values[5] = encrypt(values[4]), encrypt(values[5])
        yield tuple(values)


def load(size, today):
    """Add the rows in one transaction and return (table, count) of each table; the caller commits."""
    # the cursor of the session's own connection, so that all of it is one transaction
    cursor = db.session.connection().connection.cursor()
    counts = []
    for table, rows in Generator(size, today).rows():
        counts.append((table, len(rows)))
        if table == "contacts":
            rows = list(_encrypted(rows))
        columns = ", ".join(COLUMNS[table].split())
        statement = "INSERT INTO %s (%s) VALUES %%s" % (table, columns)
        execute_values(cursor, statement, rows, page_size=ROWS_PER_STATEMENT)
        cursor.execute("SELECT setval('%s_id_seq', (SELECT max(id) FROM %s))" % (table, table))
    cursor.execute("ANALYZE")
    cursor.close()
    return counts
