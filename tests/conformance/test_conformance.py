"""No dangerous verdict for Ficus, and none worse than the best of the others without a written reason."""

import os
from pathlib import Path

import pytest

from .board import board, complaints, proxies_in
from .cases import CASES
from .proxies import PEERS
from .run import play_all

BOARD = Path(__file__).parents[2] / "target" / "conformance.txt"


@pytest.fixture(scope="module")
def results():
    return play_all(CASES)


def test_cases_have_names_of_their_own():
    names = [case.name for case in CASES]
    assert len(names) == len(set(names))
    assert len(names) >= 220


def test_every_proxy_played_every_case(results):
    expected = {"ficus"} | {kind.name for variable, kind in PEERS.items() if os.environ.get(variable)}
    assert set(proxies_in(results)) == expected
    assert all(set(verdicts) == expected for verdicts in results.values())


def test_ficus_is_not_worse_than_the_best(results):
    text = board(results)
    BOARD.parent.mkdir(exist_ok=True)
    BOARD.write_text(text)
    found = complaints(results)
    assert not found, "\n".join(found) + "\n\n" + text
