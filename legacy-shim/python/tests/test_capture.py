"""Marks of write parity: who is believed, and what SQLAlchemy's transactions are told."""

import sqlalchemy
from flask import Flask
from sqlalchemy import event

from legacy_shim import LegacyShim
from legacy_shim import capture

REQUEST = "0" * 29 + "abc"
#: What `flask_compat::dry_run` writes for this request and the secret key `key`.
MARK = "v1." + REQUEST + ".500.POST.5be2d8a6a74315b2cb412a1549fe967e"


def make_app(seen):
    app = Flask(__name__)
    app.secret_key = "key"

    @app.route("/", methods=["POST"])
    def change():
        from flask import request

        seen.append((getattr(capture._current, "request_id", None), request.headers.get("X-Ficus-Capture")))
        return "done"

    LegacyShim(app)
    return app


def post(app, headers, address="127.0.0.1"):
    answer = app.test_client().post("/", headers=headers, environ_overrides={"REMOTE_ADDR": address})
    answer.close()
    return answer


def test_a_signed_mark_of_the_proxy_is_believed():
    seen = []
    answer = post(make_app(seen), {"X-Ficus-Capture": MARK})
    assert seen == [(REQUEST, None)]
    assert answer.headers["X-Ficus-Captured"] == "1"
    assert getattr(capture._current, "request_id", None) is None


def test_nobody_else_is():
    seen = []
    app = make_app(seen)
    for header, address in [
        (MARK, "203.0.113.9"),
        (MARK.replace("POST", "PUT"), "127.0.0.1"),
        (MARK[:-1] + "0", "127.0.0.1"),
        ("v1", "127.0.0.1"),
        ("", "127.0.0.1"),
    ]:
        answer = post(app, {"X-Ficus-Capture": header}, address)
        assert "X-Ficus-Captured" not in answer.headers
    app.secret_key = None
    post(app, {"X-Ficus-Capture": MARK})
    assert seen == [(None, None)] * 6


class Cursor:
    def __init__(self, log):
        self.log = log

    def execute(self, statement):
        self.log.append(statement)

    def close(self):
        self.log.append("closed")


def test_each_transaction_names_its_request():
    capture.hook()
    capture.hook()
    engine = sqlalchemy.create_engine("sqlite://")
    log = []

    class Raw:
        def cursor(self):
            return Cursor(log)

    class Connection:
        connection = Raw()
        dialect = type("Dialect", (), {"name": "postgresql"})

    with engine.begin():
        pass
    capture._began(Connection())
    assert log == [], "nothing is said outside of a captured request"
    end = capture.begin(REQUEST)
    with engine.begin():
        assert log == [], "other databases are left alone"
    capture._began(Connection())
    assert log == ["SELECT set_config('ficus.request', '" + REQUEST + "', true)", "closed"]
    end()
    capture._began(Connection())
    assert len(log) == 2


def test_sqlalchemy_calls_for_sessions_and_for_connections(monkeypatch):
    begun = []
    capture.hook()
    monkeypatch.setattr(capture, "mark", lambda cursor: begun.append(1))
    engine = sqlalchemy.create_engine("sqlite://")
    monkeypatch.setattr(engine.dialect, "name", "postgresql")
    assert event.contains(sqlalchemy.engine.Engine, "begin", capture._began)
    from sqlalchemy.orm import sessionmaker

    end = capture.begin(REQUEST)
    session = sessionmaker(bind=engine)()
    session.connection()
    session.commit()
    session.connection()
    session.rollback()
    with engine.connect() as connection:
        transaction = connection.begin()
        transaction.commit()
    end()
    session.connection()
    session.close()
    assert len(begun) == 3
