"""Databases of the throwaway cluster: one template with the small seed, cheap copies of it."""

import itertools
import os
from urllib.parse import urlsplit, urlunsplit

import psycopg2

NEEDS_CLUSTER = (
    "TEST_POSTGRES_URL is not set; run these tests as: "
    "cargo xtask with-postgres -- target/python/tests/bin/python -m pytest tests"
)


class Databases:
    """Creates databases in the cluster of TEST_POSTGRES_URL and drops them at the end."""

    def __init__(self):
        self._admin_url = os.environ.get("TEST_POSTGRES_URL")
        if not self._admin_url:
            raise RuntimeError(NEEDS_CLUSTER)
        self._numbers = itertools.count(1)
        self._created = []

    def url(self, name: str) -> str:
        """The URL of database `name`."""
        parts = urlsplit(self._admin_url)
        # urlunsplit drops the empty authority of postgresql://user@/name?host=/dir unless it is kept as text.
        return urlunsplit((parts.scheme, parts.netloc, "/" + name, parts.query, ""))

    def create(self, template: str = "template0") -> str:
        """A new database, a copy of `template`; its name."""
        name = f"system_{os.getpid()}_{next(self._numbers)}"
        locale = " LC_COLLATE 'C.UTF-8' LC_CTYPE 'C.UTF-8'" if template == "template0" else ""
        self._execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"{locale}')
        self._created.append(name)
        return name

    def drop_all(self):
        for name in self._created:
            self._execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        self._created.clear()

    def query(self, name: str, sql: str, parameters=()) -> list:
        """The rows of a query in database `name`."""
        connection = psycopg2.connect(self.url(name))
        try:
            with connection, connection.cursor() as cursor:
                cursor.execute(sql, parameters)
                return cursor.fetchall() if cursor.description else []
        finally:
            connection.close()

    def _execute(self, sql: str):
        connection = psycopg2.connect(self._admin_url)
        connection.autocommit = True
        try:
            with connection.cursor() as cursor:
                cursor.execute(sql)
        finally:
            connection.close()
