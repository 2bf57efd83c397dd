"""Habits that are checked rather than remembered."""

import re
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "src" / "legacy_shim"
FILES = sorted(PACKAGE.rglob("*.py"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_every_file_says_what_it_is_and_is_short(path):
    text = path.read_text(encoding="utf-8")
    assert text.startswith('"""')
    assert len(text.splitlines()) <= 400


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_versions_are_told_apart_in_one_place_only(path):
    if path.name == "_compat.py":
        return
    assert not re.search(r"version_info|_matcher|_remap|match_compare_key", path.read_text(encoding="utf-8"))


def test_the_readme_explains_every_setting():
    readme = (PACKAGE.parent.parent / "README.md").read_text(encoding="utf-8")
    keys = re.findall(r'value\("([A-Z_]+)"', (PACKAGE / "settings.py").read_text(encoding="utf-8"))
    assert keys
    for key in keys:
        assert f"| `LEGACY_SHIM_{key}` |" in readme
