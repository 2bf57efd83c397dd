"""Writes the test vectors of flask-compat with the real packages of the Python that runs this.

    python legacy-shim/rust/tests/vectors/generator legacy-shim/rust/tests/vectors/flask-1.1

Run it once in each environment (Flask 1.1.2, 2.3.3, 3.1.3 pins). The clock and the random numbers are fixed, so the files change
only when a package does. `verify.py` beside this checks the opposite direction: what Rust wrote, read by Python.
"""

import importlib
import json
import os
import sys

SECTIONS = ["cookies", "sessions", "login", "csrf", "passwords", "fernets", "pages", "templates", "objects"]


def lines(vectors):
    """JSON with one case a line."""
    parts = []
    for key in sorted(vectors):
        value = vectors[key]
        if isinstance(value, list):
            text = "[\n" + ",\n".join("  " + json.dumps(case) for case in value) + "\n ]"
        else:
            text = json.dumps(value)
        parts.append(" {}: {}".format(json.dumps(key), text))
    return "{\n" + ",\n".join(parts) + "\n}"


def main():
    folder = sys.argv[1]
    wanted = sys.argv[2:] or SECTIONS
    os.makedirs(folder, exist_ok=True)
    for name in wanted:
        vectors = importlib.import_module("section_" + name).vectors()
        text = lines(vectors)
        path = os.path.join(folder, name + ".json")
        with open(path, "w", encoding="utf-8") as out:
            out.write(text + "\n")
        print(path)


if __name__ == "__main__":
    main()
