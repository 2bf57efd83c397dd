"""Gives a user the same API token in several databases; only its hash is stored, as the CRM does."""

import hashlib
import secrets


def grant(stacks: list, email: str) -> str:
    """The new token of `email`, valid in every stack."""
    token = secrets.token_urlsafe(32)
    token_hash = hashlib.sha256(token.encode()).hexdigest()
    for stack in stacks:
        stack.query(
            "INSERT INTO api_tokens (user_id, name, token_hash, created_at)"
            " SELECT id, 'parity', %s, now() FROM users WHERE email = %s",
            (token_hash, email),
        )
    return token
