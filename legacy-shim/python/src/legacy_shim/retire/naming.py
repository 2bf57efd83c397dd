"""Whether a name in the source is the endpoint: verbatim, relative to a blueprint, or perhaps."""

from typing import NamedTuple
from typing import Optional


class Wanted(NamedTuple):
    """An endpoint that is looked for."""

    endpoint: str

    @property
    def last(self) -> str:
        """Its name in its blueprint."""
        return self.endpoint.rpartition(".")[2]

    @property
    def is_plain(self) -> bool:
        """Without a blueprint it may be any word, and only counts where an endpoint is expected."""
        return "." not in self.endpoint

    def is_named(self, text: str) -> bool:
        """`customers.list`; `.list` is taken for it too, as what it is relative to is not known everywhere."""
        return text == self.endpoint or (text.startswith(".") and text[1:] == self.last)

    def may_be(self, prefix: str, suffix: str) -> bool:
        """Whether a text of which only the beginning and the end are known may be it."""
        for name in (self.endpoint, "." + self.last):
            if len(prefix) + len(suffix) <= len(name) and name.startswith(prefix) and name.endswith(suffix):
                return True
        return False


def found(kind: str, file: str, line: int, text: str, test: bool = False, inside: Optional[str] = None) -> dict:  # type: ignore[type-arg]
    """A place that names the endpoint, or the view."""
    return {"kind": kind, "file": file, "line": line, "text": text, "test": test, "in": inside}
