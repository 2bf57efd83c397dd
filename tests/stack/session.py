"""Reads Flask's session cookie, as the tests must know what both sides put in."""

import hashlib

from itsdangerous import URLSafeTimedSerializer


def read_session(cookie: str, secret_key: str) -> dict:
    """The session in a cookie; tags of Flask's JSON stay as they are. An empty cookie is an empty session."""
    if not cookie:
        return {}
    serializer = URLSafeTimedSerializer(
        secret_key, salt="cookie-session",
        signer_kwargs={"key_derivation": "hmac", "digest_method": hashlib.sha1},
    )
    return serializer.loads(cookie)
