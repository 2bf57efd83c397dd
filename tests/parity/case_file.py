"""Reads `*.http` files: the cases of the parity tests.

A case starts with `### NAME`, has `# @key value` lines, a request line, headers, and after an empty line a body:

    ### a rep does not see a customer of somebody else
    # @as rita@example.com
    # @expect 404
    GET /customers/3

Keys: `@as EMAIL` (absent: not logged in), `@expect STATUS` (required: two wrong answers may be equal too),
`@contains TEXT` (must stand in both bodies), `@tables a,b` (compared after the request), `@then PATH` (a GET
afterwards, compared too: it shows the flash), `@backend legacy` (Rust hands this request back on purpose). In a
request `{{csrf}}` is a good token, `{{expired}}` one of
yesterday, `{{api_token}}` the API token of the user, `{{long:N}}` N letters.
"""

import re
from dataclasses import dataclass, field
from pathlib import Path

KEYS = {"as", "backend", "expect", "contains", "tables", "then"}


@dataclass
class Case:
    """One request and what is expected of both answers."""

    file: Path
    line: int
    name: str
    expect: int
    request_line: str
    headers: list = field(default_factory=list)
    body: str = ""
    user: str = ""
    contains: list = field(default_factory=list)
    tables: list = field(default_factory=list)
    then: str = ""
    backend: str = "rust"

    @property
    def id(self) -> str:
        return f"{self.file.parent.name}/{self.file.stem}: {self.name}"


def read_cases(path: Path) -> list:
    """All cases of a file; a mistake is an error with file and line."""
    cases = []
    lines = path.read_text(encoding="utf-8").splitlines()
    starts = [number for number, line in enumerate(lines) if line.startswith("### ")]
    for start, end in zip(starts, [*starts[1:], len(lines)]):
        cases.append(_read_case(path, start, lines[start:end]))
    return cases


def _read_case(path: Path, start: int, lines: list) -> Case:
    keys, contains = {}, []
    position = 1
    while position < len(lines) and (lines[position].startswith("#") or not lines[position].strip()):
        found = re.match(r"# @(\w+) (.*)$", lines[position])
        if found:
            key, value = found.groups()
            assert key in KEYS, f"{path}:{start + position + 1}: unknown key `@{key}`; known: {sorted(KEYS)}"
            if key == "contains":
                contains.append(value)
            else:
                keys[key] = value.strip()
        position += 1
    assert position < len(lines), f"{path}:{start + 1}: the case has no request line"
    assert "expect" in keys, f"{path}:{start + 1}: the case has no `# @expect STATUS`"
    request_line = lines[position].strip()
    head_end = next((n for n in range(position, len(lines)) if not lines[n].strip()), len(lines))
    headers = [tuple(part.strip() for part in line.split(":", 1)) for line in lines[position + 1:head_end]]
    body = "&".join(line for line in lines[head_end:] if line.strip()) if _is_form(headers) else "\n".join(
        lines[head_end + 1:]
    ).strip("\n")
    return Case(
        path, start + 1, lines[0][4:].strip(), int(keys["expect"]), request_line, headers, body,
        keys.get("as", ""), contains, [t.strip() for t in keys.get("tables", "").split(",") if t.strip()],
        keys.get("then", ""), keys.get("backend", "rust"),
    )


def _is_form(headers: list) -> bool:
    return any(k.lower() == "content-type" and "urlencoded" in v for k, v in headers)
