"""Error pages, and the settings that must be there."""
import pytest

from crm import create_app
from crm.config import database_uri


@pytest.fixture
def broken(app, monkeypatch):
    """Make the lists of customers fail, and let the application answer as it does in production."""
    def fail(*args):
        raise ValueError("secret detail")
    monkeypatch.setattr("crm.blueprints.customers.views.ListFilter", fail)
    monkeypatch.setattr("crm.blueprints.api.customers.page_of", fail)
    monkeypatch.setitem(app.config, "PROPAGATE_EXCEPTIONS", False)


def test_not_found(client, login, rep):
    for someone in (client, login(rep)):
        answer = someone.get("/nothing/here")
        assert answer.status_code == 404
        assert "Nothing here" in answer.get_data(as_text=True)


def test_server_errors_tell_nothing(broken, login, rep):
    answer = login(rep).get("/customers/")
    assert answer.status_code == 500
    page = answer.get_data(as_text=True)
    assert "Something went wrong" in page and "secret detail" not in page


def test_server_errors_of_the_api_are_json(broken, client, make, rep):
    answer = client.get("/api/v1/customers", headers={"Authorization": "Bearer " + make.token(rep)})
    assert answer.status_code == 500
    assert answer.get_json() == {"message": "Internal Server Error"}


def test_missing_settings_are_all_named(monkeypatch):
    for name in ("DATABASE_URL", "FLASK_SECRET_KEY", "CRM_FERNET_KEYS"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(RuntimeError) as raised:
        create_app()
    assert str(raised.value) == "missing environment variables: CRM_FERNET_KEYS, FLASK_SECRET_KEY, DATABASE_URL"


@pytest.mark.parametrize("url, expected", [
    ("postgresql://u:p@h:5432/crm", "postgresql+psycopg2://u:p@h:5432/crm"),
    ("postgres:///crm?host=/run/pg", "postgresql+psycopg2:///crm?host=/run/pg"),
    ("postgresql+psycopg2://h/crm", "postgresql+psycopg2://h/crm"),
    (None, None),
])
def test_the_driver_is_named(url, expected):
    assert database_uri(url) == expected
