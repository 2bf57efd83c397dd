"""Starts the real thing: PostgreSQL database, Flask under gunicorn, Rust handlers, ficus.

Tests say what they need (`Stack(...)`), use its addresses, and leave; every process is ended by pid.
"""

from .database import Databases
from .process import Process, free_port, wait_until
from .stack import Stack

__all__ = ["Databases", "Process", "Stack", "free_port", "wait_until"]
