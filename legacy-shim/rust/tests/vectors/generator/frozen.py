"""A fixed clock and fixed random bytes, so that vectors are the same on every run."""

import datetime
import os
import time

NOW = 1600000000
SECRET = "a secret key with ünïcode"
ASCII_SECRET = "plain secret key"


class FrozenDateTime(datetime.datetime):
    """datetime whose `now` is `NOW`."""

    @classmethod
    def now(cls, tz=None):
        return cls.fromtimestamp(CLOCK.now, tz)

    @classmethod
    def utcnow(cls):
        return cls.fromtimestamp(CLOCK.now, datetime.timezone.utc).replace(tzinfo=None)


class Clock:
    """The time that everybody sees."""

    now = NOW

    def time(self):
        return float(self.now)


CLOCK = Clock()


def freeze():
    """Stops the clock for every package used here."""
    CLOCK.now = NOW
    time.time = CLOCK.time
    for name in ["flask.sessions", "flask_login.login_manager", "itsdangerous.timed"]:
        try:
            module = __import__(name, fromlist=["x"])
        except ImportError:
            continue
        if hasattr(module, "datetime"):
            module.datetime = FrozenDateTime


class Bytes:
    """Counts up instead of being random."""

    def __init__(self):
        self.next = 0

    def urandom(self, length):
        out = bytes((self.next + i) % 256 for i in range(length))
        self.next += 1
        return out


def fixed_random():
    """Replaces os.urandom."""
    os.urandom = Bytes().urandom
