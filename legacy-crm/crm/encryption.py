"""Columns encrypted at rest with Fernet. The first key of CRM_FERNET_KEYS encrypts, all of them decrypt."""
from cryptography.fernet import Fernet, MultiFernet
from flask import current_app
from sqlalchemy.types import Text, TypeDecorator


def _fernet():
    return MultiFernet([Fernet(key) for key in current_app.config["FERNET_KEYS"]])


def encrypt(value):
    """Text to a Fernet token; None and the empty string stay NULL."""
    if not value:
        return None
    return _fernet().encrypt(value.encode("utf-8")).decode("ascii")


def decrypt(token):
    if token is None:
        return None
    return _fernet().decrypt(token.encode("ascii")).decode("utf-8")


class EncryptedString(TypeDecorator):
    """A text column that holds Fernet tokens. It cannot be searched or sorted by the database."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value, dialect):
        return encrypt(value)

    def process_result_value(self, value, dialect):
        return decrypt(value)
