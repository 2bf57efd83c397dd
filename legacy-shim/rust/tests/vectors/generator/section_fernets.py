"""Fernet tokens of the cryptography package."""

import base64

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

import frozen

KEYS = [base64.urlsafe_b64encode(bytes(range(i, i + 32))).decode() for i in (0, 100)]
IV = bytes(range(16))
TEXTS = [b"", b"x", b"exactly 16 bytes", "é€".encode(), b"\x00\xff" * 40]


def attempt(call):
    try:
        return call().decode("latin-1")
    except InvalidToken:
        return None


def vectors():
    first = Fernet(KEYS[0])
    tokens = [
        {"text": text.decode("latin-1"), "token": first._encrypt_from_parts(text, frozen.NOW, IV).decode()} for text in TEXTS
    ]
    good = tokens[1]["token"]
    second = Fernet(KEYS[1])._encrypt_from_parts(b"second", frozen.NOW, IV).decode()
    odd = [good[:-1], good + "=", good.rstrip("="), "X" + good[1:], good[:40] + "AAAA" + good[44:], "", "gAAA", second, good + "\n", " " + good]
    reads = [{"token": token, "text": attempt(lambda: first.decrypt(token.encode()))} for token in odd]
    both = MultiFernet([first, Fernet(KEYS[1])])
    ages = [
        {"ttl": ttl, "now": now, "text": attempt(lambda: first.decrypt_at_time(good.encode(), ttl, now))}
        for ttl, now in [(10, frozen.NOW + 10), (10, frozen.NOW + 11), (10, frozen.NOW - 60), (10, frozen.NOW - 61), (0, frozen.NOW)]
    ]
    multi_ages = [
        {"ttl": ttl, "now": now, "text": attempt(lambda: both.decrypt_at_time(second.encode(), ttl, now))}
        for ttl, now in [(10, frozen.NOW + 10), (10, frozen.NOW + 11), (10, frozen.NOW - 60), (10, frozen.NOW - 61)]
    ]
    # rotate() takes its own random IV: the time of the token stays, and the first key alone reads it.
    turned = both.rotate(second.encode())
    rotated = {
        "text": first.decrypt(turned).decode(),
        "time": first.extract_timestamp(turned),
        "old": first.extract_timestamp(good.encode()),
    }
    return {
        "now": frozen.NOW,
        "keys": KEYS,
        "iv": list(IV),
        "tokens": tokens,
        "reads": reads,
        "multi": {"token": second, "text": attempt(lambda: both.decrypt(second.encode()))},
        "multi_ages": multi_ages,
        "rotated": rotated,
        "ages": ages,
    }
