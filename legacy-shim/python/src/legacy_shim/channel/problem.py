"""Why the channel does not answer a question; `gate` makes a response of it."""

from typing import Tuple


class Refusal(Exception):
    """A status and one sentence; the sentence never holds a value of a session."""

    def __init__(self, status: int, reason: str, allow: Tuple[str, ...] = ()) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason
        self.allow = allow
