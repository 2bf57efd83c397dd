"""The CRM, which counts in its database what it was asked: a row for each request, with the mark of copies. The rows are written
on connections of their own, so that they stay whatever becomes of the request."""

import os

import psycopg2

from wsgi import app

TABLE = """
SELECT pg_advisory_xact_lock(20261126);
CREATE TABLE IF NOT EXISTS asked (number bigserial PRIMARY KEY, method text NOT NULL, target text NOT NULL, copy boolean NOT NULL);
"""


def run(sql: str, parameters=()):
    connection = psycopg2.connect(os.environ["DATABASE_URL"])
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(sql, parameters)
    finally:
        connection.close()


def application(environ, start_response):
    query = environ.get("QUERY_STRING")
    target = environ["PATH_INFO"] + (f"?{query}" if query else "")
    asked = (environ["REQUEST_METHOD"], target, "HTTP_X_FICUS_SHADOW" in environ)
    run("INSERT INTO asked (method, target, copy) VALUES (%s, %s, %s)", asked)
    return app.wsgi_app(environ, start_response)


run(TABLE)
