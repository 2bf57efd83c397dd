"""Writes the corpus and signed.json from the vectors and the real itsdangerous.

target/python/flask-1.1/bin/python legacy-shim/rust/tests/fuzz/seed.py

Files that are there already stay (findings of the fuzzer are kept by hand, named after what they found).
"""
import hashlib
import itertools
import json
from pathlib import Path

import itsdangerous

HERE = Path(__file__).resolve().parent
VECTORS = HERE.parent / "vectors"
DERIVATIONS = ["hmac", "django-concat", "concat", "none"]
DIGESTS = ["sha1", "sha224", "sha256", "sha384", "sha512"]
EACH = 24


def vectors(section):
    """All environments' vectors of a section, oldest first."""
    for environment in ["flask-1.1", "flask-2.3", "flask-3.1"]:
        yield json.loads((VECTORS / environment / f"{section}.json").read_text())


def spread(texts):
    """At most EACH different texts, taken evenly from the list."""
    texts = [text for text in dict.fromkeys(texts) if text]
    step = max(1, len(texts) // EACH)
    return texts[::step][:EACH]


def write(target, texts):
    """One file per text."""
    folder = HERE / "corpus" / target
    folder.mkdir(parents=True, exist_ok=True)
    for number, text in enumerate(spread(texts)):
        data = text if isinstance(text, bytes) else text.encode()
        (folder / f"seed-{number:02}").write_bytes(data)


def signed():
    """A text signed in every way that itsdangerous knows."""
    for derivation, digest in itertools.product(DERIVATIONS, DIGESTS):
        signer = itsdangerous.Signer(
            "secret", salt="fuzz", key_derivation=derivation, digest_method=getattr(hashlib, digest)
        )
        text = signer.sign(f"{derivation} by {digest}").decode()
        yield {"derivation": derivation, "digest": digest, "text": text}


def routing():
    """Maps with their paths, in the line format of the target."""
    for line in (HERE.parent / "routing_vectors" / "werkzeug-1.0.jsonl").read_text().splitlines()[::2]:
        case = json.loads(line)[0]
        rules = [rule["rule"] for rule in case["rules"][:8]]
        paths = [request["path"] for request in case["requests"][:8]]
        yield "\n".join(rules) + "\n\n" + "\n".join(paths)


def passwords():
    """Cheap hashes with their passwords, the others are left out by the target."""
    for section in vectors("passwords"):
        for check in section["checks"]:
            yield check["hash"] + "\n" + check["password"]


ACTIONS = {"set": "s", "pop": "r", "clear": "c", "permanent": "p", "get": "g"}
LIVES = ["fsuccess=Saved.\nfinfo=Twice", "bkey=\x00\xff\nmhtml=<b>\nd when=1", 'jx={" t":[1,{" b":"AA=="}]}\np']


BODIES = [
    "s=some+text&t=a%0D%0Ab&h=1&p=x&again=x&i=3&d=1.50&day=2024-02-29&at=2024-02-29+12%3A30%3A00&b=y&pick=2"
    "&mail=ana%40example.com&site=https%3A%2F%2Fexample.com%2F",
    "s=%3Cscript%3E&t=%3C/textarea%3E%3Cb%3E&h=%22%3E%3Cx&i=x&d=NaN&day=31.12.&at=now&pick=9&mail=a@b&site=javascript:1",
    "i=-99999999999999999999&d=1e999&day=0000-00-00&at=9999-12-31+23%3A59%3A60&i=%D9%A3&d=Infinity&b=false",
]


def main():
    """Everything."""
    made = list(signed())
    (HERE / "signed.json").write_text(json.dumps(made, indent=1) + "\n")
    sessions, csrf, login = list(vectors("sessions")), list(vectors("csrf")), list(vectors("login"))
    fernets, cookies = list(vectors("fernets")), list(vectors("cookies"))
    pairs = [cookie.split(";")[0] for file in login for flow in file["flows"] for cookie in flow["set_cookie"]]
    write("cookie", [case["header"] for file in cookies for case in file["parse"]] + pairs[:8])
    write("set_cookie", [case["args"]["value"] for file in cookies for case in file["dump"]]
          + ["Sat, 29 Feb 2020 12:30:45 GMT", "v\n.example.com:80\n/\u00e4 b/;x%20y"])
    loads = [case for file in sessions for case in file["loads"] + file["unreadable"]]
    write("session", list(itertools.chain.from_iterable(
        (case["cookie"], case.get("tagged", case.get("payload"))) for case in loads)))
    lives = ["\n".join(ACTIONS.get(a[0], "s") + "=".join(map(str, a[1:])) for a in case["actions"])
             for file in sessions for case in file["saves"]]
    write("session_life", LIVES + lives)
    write("itsdangerous", [one["text"] for one in made])
    checks = [case for file in csrf for case in file["validations"] + file["requests"]]
    write("csrf", [case.get("token") or case.get("form", "") for case in checks])
    write("remember", [case["cookie"] for file in login for case in file["remember"]]
          + [pair.split("=", 1)[1].strip('"') for pair in pairs if pair.startswith("remember_token")])
    write("fernet", [case["token"] for case in fernets[0]["reads"] + fernets[0]["tokens"] + [fernets[0]["multi"]]]
          + fernets[0]["keys"])
    write("password", passwords())
    write("rule", [(HERE / "rules.txt").read_text()] + list(routing()))
    forms = json.loads((VECTORS / "forms-wtforms-2.3.json").read_text())
    requests = [case.get("form", "") for file in csrf for case in file["requests"]]
    write("multipart", [case["content_type"].encode("latin-1") + b"\n" + case["body"].encode("latin-1") for case in uploads()])
    write("form", BODIES + requests[:6] + list(bodies(forms)))


def uploads():
    """Multipart bodies that are not empty for every Werkzeug."""
    lines = (HERE.parent / "form_body_vectors" / "werkzeug-2.3.jsonl").read_text().splitlines()
    for case, answer in map(json.loads, lines):
        if case["content_type"].lower().startswith("multipart") and (answer.get("form") or answer.get("files")):
            yield case


def bodies(node):
    """Every text in the form vectors that looks like a body."""
    if isinstance(node, str):
        if "=" in node and "<" not in node and " " not in node:
            yield node
    elif isinstance(node, (list, dict)):
        for child in node.values() if isinstance(node, dict) else node:
            yield from bodies(child)


if __name__ == "__main__":
    main()
