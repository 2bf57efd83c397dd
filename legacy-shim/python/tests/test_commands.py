"""The commands as users run them: `flask shim routes` and `python -m legacy_shim routes`."""

import sys

import pytest

from legacy_shim.loading import AppNotFound
from legacy_shim.loading import load_app

WITH_SHIM = """\
from legacy_shim import LegacyShim
from apps.office import create_app as make
def create_app():
    app = make()
    LegacyShim(app)
    return app
"""


@pytest.fixture
def site(tmp_path):
    """A directory with an application `site_app.py` that has the extension; importable apps beside it."""
    (tmp_path / "site_app.py").write_text(WITH_SHIM)
    return tmp_path


@pytest.fixture
def plugin(tmp_path):
    """An installed distribution as pip leaves it, as far as entry points are concerned."""
    folder = tmp_path / "installed" / "legacy_shim-0.0.0.dist-info"
    folder.mkdir(parents=True)
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: legacy-shim\nVersion: 0.0.0\n")
    (folder / "entry_points.txt").write_text("[flask.commands]\nshim = legacy_shim.cli:shim\n")
    return str(folder.parent)


def path_with(*folders):
    from conftest import HERE
    from conftest import SOURCES

    return ":".join([SOURCES, str(HERE)] + [str(folder) for folder in folders])


def finds_plugins():
    """Flask 1.1 looks for plugins with pkg_resources, which not every environment has."""
    from legacy_shim import _compat

    if not _compat.versions()["flask"].startswith("1."):
        return True
    try:
        import pkg_resources  # noqa: F401
    except ImportError:
        return False
    except Warning:
        return True
    return True


def test_flask_shim_routes_through_the_extension(run, site, parse):
    done = run("-m", "flask", "shim", "routes", FLASK_APP="site_app", PYTHONPATH=path_with(site), cwd=str(site))
    assert done.returncode == 0, done.stderr
    assert len(parse(done.stdout)["route"]) == 27
    assert "with: flask shim routes\n" in done.stdout


def test_flask_shim_routes_through_the_entry_point_alone(run, plugin, parse):
    assert finds_plugins(), "the pinned setuptools is missing"
    done = run("-m", "flask", "shim", "routes", FLASK_APP="apps.office", PYTHONPATH=path_with(plugin))
    assert done.returncode == 0, done.stderr
    assert len(parse(done.stdout)["route"]) == 27


def test_extension_and_entry_point_do_not_clash(run, site, plugin):
    path = path_with(site, plugin)
    both = run("-m", "flask", "shim", "routes", FLASK_APP="site_app", PYTHONPATH=path, cwd=str(site))
    assert both.returncode == 0, both.stderr
    listed = run("-m", "flask", "--help", FLASK_APP="site_app", PYTHONPATH=path, cwd=str(site))
    assert listed.stdout.count("\n  shim ") == 1


@pytest.mark.parametrize(
    "target",
    ["apps.office", "apps.office:create_app", "apps.office:create_app()", "apps/office.py:create_app({})"],
)
def test_python_m_takes_every_way_to_name_an_application(run, parse, target):
    done = run("-m", "legacy_shim", "routes", "--app", target)
    assert done.returncode == 0, done.stderr
    assert len(parse(done.stdout)["route"]) == 27


def test_the_same_application_gives_the_same_bytes(run):
    first = run("-m", "legacy_shim", "routes", "--app", "apps.office", PYTHONHASHSEED="1")
    second = run("-m", "legacy_shim", "routes", "--app", "apps.office", PYTHONHASHSEED="2")
    assert first.stdout
    assert first.stdout == second.stdout


def test_nothing_of_the_machine_is_written(run):
    from conftest import HERE

    done = run("-m", "legacy_shim", "routes", "--app", "apps.office")
    assert str(HERE) not in done.stdout
    assert sys.prefix not in done.stdout


def test_serve_is_written_to_every_route(run, parse):
    done = run("-m", "legacy_shim", "routes", "--app", "apps.office", "--serve", "legacy-next")
    routes = {route["name"]: route["serve"] for route in parse(done.stdout)["route"]}
    assert routes["customers.list"] == "legacy-next"
    assert routes["old"] == "legacy"
    assert "--serve legacy-next\n" in done.stdout


def test_a_backend_that_cannot_be_one_is_refused(run):
    done = run("-m", "legacy_shim", "routes", "--app", "apps.office", "--serve", 'x"')
    assert done.returncode == 2
    assert "is not the name of a backend" in done.stderr


def test_output_never_replaces_decisions_unasked(run, tmp_path):
    target = tmp_path / "routes.toml"
    command = ["-m", "legacy_shim", "routes", "--app", "apps.office", "--output", str(target)]
    assert "27 routes" in run(*command).stderr
    written = target.read_bytes()
    assert "is up to date" in run(*command).stderr
    target.write_bytes(written.replace(b'serve = "legacy"\n\n', b'serve = "rust"\n\n', 2))
    flipped = target.read_bytes()
    refused = run(*command)
    assert refused.returncode == 1
    assert "flips in it would be lost" in refused.stderr
    assert target.read_bytes() == flipped
    assert run(*(command + ["--force"])).returncode == 0
    assert target.read_bytes() == written
    assert [path.name for path in tmp_path.iterdir()] == ["routes.toml"]


@pytest.fixture
def module(tmp_path, monkeypatch):
    """Writes a module and makes it importable by name."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    names = []

    def write(name, text):
        (tmp_path / (name + ".py")).write_text(text)
        names.append(name)

    yield write
    for name in names:
        sys.modules.pop(name, None)


def test_an_application_is_found_without_a_name(module):
    module("named_otherwise", "from flask import Flask\nserver = Flask('x')\n")
    assert load_app("named_otherwise").import_name == "x"
    module("with_both", "from flask import Flask\nother = Flask('y')\napp = Flask('x')\n")
    assert load_app("with_both").import_name == "x"


@pytest.mark.parametrize(
    "text, target, message",
    [
        ("", "absent_module", "module `absent_module` was not found from this directory"),
        ("", "m", "module `m` has no application and no `create_app`; write `m:name`"),
        ("x = 1\n", "m:x", "`m:x` is neither an application nor a factory"),
        ("", "m:y", "module `m` has no `y`"),
        ("", ":app", "`:app` names no module"),
        ("", "m:open(1 + x)", "is not a name, nor a call with literal arguments"),
        ("def create_app():\n    return 1\n", "m", "`m:create_app` returned a int, not a Flask application"),
        (
            "def create_app(config, debug=False):\n    pass\n",
            "m",
            "takes (config, debug=False): missing a required argument",
        ),
        ("def create_app(config):\n    pass\n", "m:create_app", "write the call, with literals: `m:create_app(...)`"),
        ("def make(config):\n    pass\n", "m:make(1, b=2)", "`make` takes (config): "),
        ("from flask import Flask\na = Flask('a')\nb = Flask('b')\n", "m", "module `m` has several applications"),
    ],
)
def test_what_cannot_be_an_application_is_told(module, text, target, message):
    module("m", text)
    with pytest.raises(AppNotFound) as error:
        load_app(target)
    assert message in str(error.value)


def test_a_factory_takes_literals_by_place_and_by_name(module):
    module("takes", "from flask import Flask\ndef make(name, debug=False):\n    return Flask(name + str(debug))\n")
    assert load_app('takes:make("x", debug=True)').import_name == "xTrue"


def test_an_import_error_inside_the_application_is_shown_as_it_is(module):
    module("m", "import absent_dependency\n")
    with pytest.raises(ModuleNotFoundError) as error:
        load_app("m")
    assert error.value.name == "absent_dependency"
