"""Password hashes: made with every method that the Werkzeug at hand knows, and its verdict on hashes of all sorts."""

import hashlib
import warnings

import werkzeug.security
from werkzeug.security import check_password_hash, generate_password_hash

warnings.simplefilter("ignore")

PASSWORDS = ["demo", "", "pässwörd €", "x" * 200]
METHODS = [
    None,
    "pbkdf2:sha256",
    "pbkdf2:sha256:1000",
    "pbkdf2:sha1:1000",
    "pbkdf2:sha512:500",
    "pbkdf2:sha384:500",
    "pbkdf2",
    "sha256",
    "md5",
    "plain",
    "scrypt",
    "scrypt:1024:8:1",
]


def fixed_salt():
    werkzeug.security.gen_salt = lambda length: "SaltSaltSaltSalt"[:length]


def verdict(stored, password):
    try:
        return check_password_hash(stored, password)
    except Exception:
        return "error"


def vectors():
    fixed_salt()
    made = []
    for method in METHODS:
        for password in PASSWORDS if method in ("pbkdf2:sha256:1000", "scrypt:1024:8:1") else PASSWORDS[:1]:
            try:
                args = {} if method is None else {"method": method}
                made.append({"method": method, "password": password, "hash": generate_password_hash(password, **args)})
            except ValueError:
                continue
    small = hashlib.pbkdf2_hmac("sha256", b"demo", b"salt", 1000).hex()
    script = hashlib.scrypt(b"demo", salt=b"salt", n=1024, r=8, p=1, maxmem=10**9).hex()
    odd = [
        "",
        "nothing",
        "a$b",
        "pbkdf2:sha256:1000$salt$" + small,
        "pbkdf2:sha256:1000$salt$" + small.upper(),
        "pbkdf2:sha256:1000$salt$" + small + "0",
        "pbkdf2:sha256:1000$salt$" + small + "$",
        "pbkdf2:sha256:1000$Salt$" + small,
        "pbkdf2:sha256:1001$salt$" + small,
        "pbkdf2:sha256:x$salt$" + small,
        "pbkdf2:sha256:1000:1$salt$" + small,
        "pbkdf2:nohash:1000$salt$" + small,
        "pbkdf2:sha256:1000$$" + small,
        "scrypt:1024:8:1$salt$" + script,
        "scrypt:1024:8$salt$" + script,
        "scrypt:1000:8:1$salt$" + script,
        "sha256$salt$" + small,
        "unknown$salt$" + small,
        "$$",
    ]
    checks = [{"hash": case["hash"], "password": case["password"], "verdict": True} for case in made]
    checks += [{"hash": case["hash"], "password": "wrong", "verdict": verdict(case["hash"], "wrong")} for case in made]
    checks += [{"hash": stored, "password": "demo", "verdict": verdict(stored, "demo")} for stored in odd]
    return {"checks": checks}
