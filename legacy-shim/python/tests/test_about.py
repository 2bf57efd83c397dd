"""`/_shim/about`: what Ficus is told of the code that runs, and who is told."""

import importlib
import json
import sys

import pytest

from apps import desk
from legacy_shim import _compat
from legacy_shim.channel import about

AUTHORIZATION = {"X-Legacy-Shim-Authorization": "Bearer " + desk.SECRET}


@pytest.fixture
def client(tmp_path):
    return desk.create_app("cookie", str(tmp_path)).test_client()


def test_it_says_which_code_and_which_versions_run(client):
    response = client.get("/_shim/about", headers=AUTHORIZATION)
    assert response.status_code == 200
    assert response.headers["Cache-Control"] == "no-store"
    document = json.loads(response.data.decode("ascii"))
    assert len(document.pop("code")) == 32
    assert document == dict(_compat.versions(), schema=1, heads=[])


@pytest.mark.parametrize("headers", [{}, {"X-Legacy-Shim-Authorization": "Bearer wrong"}])
def test_without_the_secret_nothing_is_told(client, headers):
    response = client.get("/_shim/about", headers=headers)
    assert response.status_code == 403
    assert b"code" not in response.data


@pytest.mark.parametrize("header", ["X-Forwarded-For", "Forwarded", "Via"])
def test_what_came_through_a_proxy_is_the_applications(client, header):
    assert client.get("/_shim/about", headers=dict(AUTHORIZATION, **{header: "203.0.113.9"})).status_code == 401


def test_strangers_are_the_applications(client):
    client.environ_base["REMOTE_ADDR"] = "203.0.113.9"
    assert client.get("/_shim/about", headers=AUTHORIZATION).status_code == 401


def test_only_get_is_answered(client):
    assert client.post("/_shim/about", headers=AUTHORIZATION).status_code == 405


@pytest.fixture
def package(tmp_path):
    """Writes an application as a package in a folder, and imports it afresh."""
    made = []

    def package(folder, files):
        root = tmp_path / folder
        for name, text in files.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        forget()
        sys.path.insert(0, str(root))
        made.append(str(root))
        importlib.invalidate_caches()
        return importlib.import_module("shop").app

    def forget():
        for name in [name for name in sys.modules if name.split(".")[0] == "shop"]:
            del sys.modules[name]

    yield package
    for root in made:
        sys.path.remove(root)
    forget()


SHOP = {
    "shop/__init__.py": "from flask import Flask\napp = Flask(__name__)\nfrom . import views\n",
    "shop/views.py": "def index():\n    return 'a'\n",
    "shop/inner/later.py": "LATER = 1\n",
    "shop/templates/index.html": "<p>a</p>",
    "shop/tests/test_views.py": "pass\n",
    "shop/.cache/x.py": "pass\n",
    "shop/README.md": "a shop\n",
}


def test_the_hash_is_the_same_wherever_the_application_is(package):
    one = about.code_hash(package("one", SHOP))
    assert about.code_hash(package("other", SHOP)) == one


@pytest.mark.parametrize(
    "name, counts",
    [
        ("shop/views.py", True),
        ("shop/inner/later.py", True),
        ("shop/templates/index.html", True),
        ("shop/tests/test_views.py", False),
        ("shop/.cache/x.py", False),
        ("shop/README.md", False),
    ],
)
def test_what_changes_the_hash(package, name, counts):
    before = about.code_hash(package("one", SHOP))
    after = about.code_hash(package("other", dict(SHOP, **{name: SHOP[name] + " # changed\n"})))
    assert (before != after) == counts


def test_a_process_keeps_the_hash_of_the_code_that_it_keeps(package, tmp_path):
    subject = about.About(package("one", SHOP))
    before = json.loads(subject.describe().decode("ascii"))["code"]
    (tmp_path / "one/shop/views.py").write_text("changed = True\n", encoding="utf-8")
    assert json.loads(subject.describe().decode("ascii"))["code"] == before


class Database:
    """What the shim needs of SQLAlchemy's engine."""

    def __init__(self, rows):
        self.rows, self.engine, self.asked = rows, self, 0

    def connect(self):
        return self

    def __enter__(self):
        return self

    def __exit__(self, *error):
        return False

    def execute(self, statement):
        self.asked += 1
        if isinstance(self.rows, Exception):
            raise self.rows
        assert str(statement) == "SELECT version_num FROM alembic_version"
        return self

    def fetchall(self):
        return self.rows


class Migrate:
    def __init__(self, db):
        self.db = db
        self.configure_args = {}


def test_the_schema_head_is_the_databases(tmp_path):
    app = desk.create_app("cookie", str(tmp_path))
    assert about.schema_heads(app) == []
    database = Database([("b2",), ("a1",)])
    app.extensions["migrate"] = Migrate(database)
    subject = about.About(app)
    for _ in range(3):
        assert json.loads(subject.describe().decode("ascii"))["heads"] == ["a1", "b2"]
    assert database.asked == 1


def test_a_database_that_fails_is_no_error(tmp_path):
    app = desk.create_app("cookie", str(tmp_path))
    app.extensions["migrate"] = Migrate(Database(RuntimeError("no connection")))
    assert about.schema_heads(app) == []
