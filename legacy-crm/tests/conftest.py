"""Fixtures: one database and application for the run, empty tables for each test, clients that are logged in.

Tests never hold an application context around a request: newer Flask would share it with the request.
Use `in_app(function)` to look into the database.
"""
import pytest
from cryptography.fernet import Fernet
from flask_migrate import upgrade

from crm import create_app
from crm.config import database_uri
from crm.extensions import cache, db
from tests.database import temporary_database, url_of
from tests.factory import PASSWORD, Factory

KEPT_TABLES = ("alembic_version", "deal_stages")


@pytest.fixture(scope="session")
def database():
    with temporary_database() as name:
        yield url_of(name)


@pytest.fixture(scope="session")
def app(database, tmp_path_factory):
    app = create_app({
        "TESTING": True,
        "SECRET_KEY": "test secret",
        "SQLALCHEMY_DATABASE_URI": database_uri(database),
        "FERNET_KEYS": [Fernet.generate_key().decode("ascii")],
        "UPLOAD_DIR": str(tmp_path_factory.mktemp("uploads")),
        "WEBHOOK_SECRET": "webhook secret",
        "WTF_CSRF_ENABLED": False,
        "CACHE_TYPE": "SimpleCache",
    })
    with app.app_context():
        upgrade()
    yield app
    with app.app_context():
        db.engine.dispose()


@pytest.fixture(autouse=True)
def clean(app):
    """Start every test with empty tables (but the stages) and an empty cache."""
    with app.app_context():
        cache.clear()
        tables = [table.name for table in db.metadata.sorted_tables if table.name not in KEPT_TABLES]
        db.session.execute(db.text("TRUNCATE %s RESTART IDENTITY CASCADE" % ", ".join(tables)))
        db.session.commit()


@pytest.fixture
def in_app(app):
    """Call a function inside an application context and return its result."""
    def call(function):
        with app.app_context():
            return function()
    return call


@pytest.fixture
def make(app):
    return Factory(app)


@pytest.fixture
def client(app):
    return app.test_client()


@pytest.fixture
def login(app):
    """login(user) is a new client, logged in through the login page."""
    def log_in(user, password=PASSWORD):
        client = app.test_client()
        answer = client.post("/auth/login", data={"email": user.email, "password": password})
        assert answer.status_code == 302, answer.get_data(as_text=True)
        return client
    return log_in


@pytest.fixture
def rep(make):
    return make.user("rep")


@pytest.fixture
def manager(make):
    return make.user("manager")


@pytest.fixture
def admin(make):
    return make.user("admin")


@pytest.fixture
def csrf(app, monkeypatch):
    """Switch CSRF protection on for one test."""
    monkeypatch.setitem(app.config, "WTF_CSRF_ENABLED", True)
