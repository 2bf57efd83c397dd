"""What the suites share: the office application, a way to run commands, a TOML reader for every Python."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from apps import office
from legacy_shim import LegacyShim

try:
    import tomllib
except ImportError:
    import tomli as tomllib

HERE = Path(__file__).resolve().parent
SOURCES = str(HERE.parent / "src")


@pytest.fixture
def app(monkeypatch):
    """The office application without the shim, seen from the tests' directory."""
    monkeypatch.chdir(HERE)
    return office.create_app()


@pytest.fixture
def shimmed():
    """Makes the office application with the shim and the given configuration."""

    def make(**config):
        app = office.create_app(config)
        LegacyShim(app)
        return app

    return make


@pytest.fixture
def parse():
    return tomllib.loads


@pytest.fixture
def run():
    """Runs a Python command as a user would, in the tests' directory."""

    def run(*arguments, **environment):
        settings = dict(os.environ, PYTHONPATH=SOURCES, PYTHONDONTWRITEBYTECODE="1", LC_ALL="C.UTF-8")
        settings.pop("FLASK_APP", None)
        settings.pop("FLASK_ENV", None)
        cwd = environment.pop("cwd", str(HERE))
        settings.update(environment)
        return subprocess.run(
            [sys.executable] + list(arguments),
            cwd=cwd,
            env=settings,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            universal_newlines=True,
            timeout=60,
        )

    return run


@pytest.fixture(autouse=True)
def no_settings_from_outside(monkeypatch):
    for name in list(os.environ):
        if name.startswith("LEGACY_SHIM_"):
            monkeypatch.delenv(name)
