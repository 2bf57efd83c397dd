"""Both sides of the benchmark in turns on the same inputs, and a table of what they took.

    python3 legacy-shim/rust/benches/bench.py [--no-build] [ROUNDS]

Needs target/python/flask-1.1 (`cargo xtask demo` or `cargo ci` make it). Each side measures the best of five runs, and
of the rounds (3 unless told otherwise) the best counts as well: on a shared machine the lowest number is the least
disturbed one.
Numbers are printed; only different pages end with an error, as then the two sides did not do the same.
"""
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
PYTHON = ROOT / "target/python/flask-1.1/bin/python"
SIDE = Path(__file__).resolve().with_name("python_side.py")
OUT = ROOT / "target/bench"
BUILD = ["cargo", "build", "--release", "-p", "flask-compat", "--features", "axum", "--example", "bench_formats"]
RUST = ROOT / "target/release/examples/bench_formats"


def lines(command):
    """The `name nanoseconds` lines of a program."""
    out = subprocess.run([str(word) for word in command], cwd=ROOT, check=True, stdout=subprocess.PIPE)
    return {name: float(value) for name, value in (line.split() for line in out.stdout.decode().splitlines())}


def shown(nanoseconds):
    """A duration for people."""
    if nanoseconds >= 1e6:
        return f"{nanoseconds / 1e6:.2f} ms"
    return f"{nanoseconds / 1e3:.2f} µs" if nanoseconds >= 1e3 else f"{nanoseconds:.0f} ns"


def main(*arguments):
    """Everything."""
    rounds = int(next((argument for argument in arguments if argument.isdigit()), 3))
    if "--no-build" not in arguments:
        subprocess.run(BUILD, cwd=ROOT, check=True)
    OUT.mkdir(parents=True, exist_ok=True)
    inputs = OUT / "inputs.json"
    subprocess.run([str(PYTHON), str(SIDE), "inputs", str(inputs)], cwd=ROOT, check=True)
    best = {"python": {}, "rust": {}}
    for _ in range(rounds):
        for side, command in (("python", [PYTHON, SIDE, "run", inputs, OUT]),
                              ("rust", [RUST, inputs, OUT / "rust.html"])):
            for name, value in lines(command).items():
                best[side][name] = min(value, best[side].get(name, value))
    if (OUT / "python.html").read_bytes() != (OUT / "rust.html").read_bytes():
        sys.exit(f"the pages differ: compare {OUT / 'python.html'} and {OUT / 'rust.html'}")
    print("| what | Python | Rust | ratio |")
    print("|---|---:|---:|---:|")
    for name, python in best["python"].items():
        rust = best["rust"].get(name.replace("_serializer_kept", ""))
        print(f"| {name.replace('_', ' ')} | {shown(python)} | {shown(rust)} | {python / rust:.0f} |")


if __name__ == "__main__":
    main(*sys.argv[1:])
