"""The committed JSON Schemas, held against files: good ones pass, and every broken one fails where a schema can tell.

That they are what `ficus schema` prints is tested beside the command (`proxy/tests/control/editor_schemas.rs`).
"""

import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

try:
    import tomllib
except ModuleNotFoundError:  # Python 3.10
    import tomli as tomllib

ROOT = Path(__file__).parents[2]

#: Broken routing files that no schema can tell from good ones, and why. What needs several routes, the backends, or a look
#: into a rule is for `ficus check`.
NOT_STRUCTURAL = {
    "canary_network_is_none": "an address",
    "canary_to_the_fallback": "candidate and fallback are the same",
    "canary_too_fine": "decimals of a number",
    "converter_bad_regex": "a regular expression",
    "defaults_unknown_fallback": "the backends",
    "duplicate_name": "several routes",
    "everything_at_once": None,
    "host_with_path": "a rule",
    "method_misspelt": "an unusual method is allowed",
    "rule_bracket_open": "a rule",
    "rule_unknown_converter": "a rule",
    "rule_variable_twice": "a rule",
    "same_rule_and_method": "several routes",
    "serve_unknown_backend": "the backends",
    "serve_unknown_backend_far": "the backends",
    "shadow_of_the_fallback": "candidate and fallback are the same",
}
#: The same for broken settings.
NOT_STRUCTURAL_SETTINGS = {
    "certificates_without_keys": "two lists of one length",
    "admin_with_half_of_tls": "one key, written apart from another",
    "admin_without_tls": "who can reach an address",
    "store_without_database": "the address of a database",
    "store_mode_unknown": "the address of a database",
    "store_without_tls": "the address of a database",
}


def validator(name: str) -> Draft202012Validator:
    schema = json.loads((ROOT / "docs/reference" / f"{name}.schema.json").read_text())
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def errors(name: str, text: str) -> list:
    return [error.message for error in validator(name).iter_errors(tomllib.loads(text))]


@pytest.mark.parametrize(
    "name, path",
    [
        ("routes", "routes.toml"),
        ("ficus", "proxy/ficus.example.toml"),
    ],
)
def test_the_files_of_this_repository_are_good(name, path):
    assert errors(name, (ROOT / path).read_text()) == []


def test_a_file_with_every_key_is_good():
    text = """
version = 1
[defaults]
serve = "off"
candidate = "legacy-next"
fallback = "legacy"
[map]
strict_slashes = false
server_name = "crm.example:80"
[converters]
sku = "[A-Z]+"
list = { regex = "[0-9,]+", weight = 60, part_isolating = true }
[[route]]
name = "a.get-post"
endpoint = "a"
rules = ["/a", "/b/<sku:x>"]
methods = ["GET", "POST", "M-SEARCH"]
defaults = { page = 1, kind = "all", ratio = 0.5, on = true, none = { none = true } }
host = "<tenant>.example"
serve = "rust"
canary = { percent = 0.125, users = ["7"], roles = ["admin"], networks = ["10.0.0.0/8", "::1"], testers = true, pin = "off" }
guard = { max_error_ratio = 0.01, max_p95_ratio = 1.5, window = "1m", min_requests = 50, on_trip = "freeze" }
rate = { per = "user", requests = 10, window = "1m30s", burst = 5 }
timeout = "250ms"
[[route]]
name = "b"
rule = "/c"
guard = { max_p95_ratio = "off" }
[route.shadow]
sample = 1
show = ["header vary"]
ignore = [{ path = "json $.a", reason = "r", author = "a", expires = "2027-01-31", tolerance = 0.1 }]
"""
    assert errors("routes", text) == []


def broken(folder):
    files = sorted((ROOT / "proxy/tests" / folder).glob("*.toml"))
    assert len(files) > 10
    return files


def verdicts(folder, schema, known):
    """Files that pass although they are broken, and files of the list that do not pass."""
    passed, told = [], []
    for path in broken(folder):
        try:
            found = errors(schema, path.read_text())
        except tomllib.TOMLDecodeError:
            found = ["no TOML"]
        if not found and path.stem not in known:
            passed.append(path.stem)
        if found and known.get(path.stem):
            told.append(path.stem)
    return passed, told


def test_every_structural_mistake_of_a_routing_file_is_found():
    assert verdicts("broken", "routes", NOT_STRUCTURAL) == ([], [])


def test_every_structural_mistake_of_the_settings_is_found():
    assert verdicts("broken_settings", "ficus", NOT_STRUCTURAL_SETTINGS) == ([], [])
