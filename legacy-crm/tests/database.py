"""The database of a test run: created in the cluster of TEST_POSTGRES_URL, dropped at the end."""
import os
import secrets
from contextlib import contextmanager
from urllib.parse import urlsplit

import psycopg2
import pytest

MISSING = (
    "TEST_POSTGRES_URL is not set; run `cargo xtask with-postgres -- python -m pytest legacy-crm/tests`"
    " to get a throwaway PostgreSQL"
)


def server_url():
    url = os.environ.get("TEST_POSTGRES_URL")
    if not url:
        pytest.exit(MISSING, returncode=2)
    return url


def url_of(database):
    """The server's URL with another database in it; a `?host=/socket/dir` stays."""
    parts = urlsplit(server_url())
    query = "?" + parts.query if parts.query else ""
    return "%s://%s/%s%s" % (parts.scheme, parts.netloc, database, query)


@contextmanager
def _server():
    connection = psycopg2.connect(server_url())
    connection.autocommit = True
    try:
        with connection.cursor() as cursor:
            yield cursor
    finally:
        connection.close()


@contextmanager
def temporary_database():
    """Create a database, give its name, and drop it whatever happens."""
    name = "crm_test_%s" % secrets.token_hex(6)
    with _server() as cursor:
        cursor.execute(
            "CREATE DATABASE %s TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C.UTF-8' LC_CTYPE 'C.UTF-8'" % name
        )
    try:
        yield name
    finally:
        with _server() as cursor:
            cursor.execute("DROP DATABASE IF EXISTS %s WITH (FORCE)" % name)
