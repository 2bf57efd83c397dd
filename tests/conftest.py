"""What all whole-system tests share: a seeded template database and stacks on copies of it."""

import os

import pytest

from stack import Databases, Stack
from stack.stack import BINARIES, MOVED, crm_python, seed


def pytest_addoption(parser):
    parser.addoption("--flask", default="1.1", choices=["1.1", "2.3"], help="the Flask that parity is compared with")


def pytest_configure(config):
    for needed in (BINARIES / "ficus", BINARIES / "rust-handlers", crm_python("1.1")):
        if not needed.exists():
            raise pytest.UsageError(f"{needed} is missing; `cargo ci --only system` builds what these tests need")


@pytest.fixture(scope="session")
def databases():
    databases = Databases()
    yield databases
    databases.drop_all()


@pytest.fixture(scope="session")
def template(databases, tmp_path_factory) -> str:
    """The name of a migrated database with the small seed; nobody connects to it."""
    name = databases.create()
    seed(databases.url(name), tmp_path_factory.mktemp("seed"))
    return name


@pytest.fixture(scope="session")
def stacks(databases, template, tmp_path_factory):
    """Starts stacks: `stacks(moved=[...])`; all are stopped at the end."""
    started = []

    def start(moved=(), flask="1.1", scope="stack", **more):
        folder = tmp_path_factory.mktemp(scope)
        stack = Stack(folder, databases, template, moved, flask, **more)
        started.append(stack)
        return stack

    yield start
    for stack in started:
        stack.stop()


@pytest.fixture(scope="session")
def legacy_stack(stacks, pytestconfig):
    """Everything on Flask."""
    return stacks(scope="legacy", flask=pytestconfig.getoption("--flask"))


@pytest.fixture(scope="session")
def rust_stack(stacks, pytestconfig):
    """The five moved endpoints on Rust."""
    return stacks(moved=MOVED, scope="rust", flask=pytestconfig.getoption("--flask"))


@pytest.fixture
def stack(stacks, request):
    """A stack of one test's own, all routes on legacy."""
    stack = stacks(scope=request.node.name.split("[")[0][:40])
    yield stack
    stack.stop()


os.environ.setdefault("NO_COLOR", "1")
