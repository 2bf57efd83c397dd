"""What a user waits with shadow traffic off, on, on with the other side hung, and while users' traffic is recorded, in one run.

    cargo xtask shadow-latency [--requests 3000] [--rate 200]
    target/python/tests/bin/python tests/shadow/latency.py --binary target/release/ficus

One client asks four routes of one ficus in turn, so that whatever else the machine does hits all four alike. It ends with 1
if the p99 of copied traffic is more than 1 ms above that of other traffic, or the served side was not asked exactly once for
each request. No test runs it: it wants a machine with nothing else to do.
"""

import argparse
import asyncio
import json
import multiprocessing
import os
import random
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = b"<!doctype html><title>t</title>" + b"<p class=\"row\">some text of a page</p>" * 100
# Of the last one nothing is copied, and everything recorded.
KINDS = ("off", "healthy", "hung", "recording")
COPIED = ("healthy", "hung")
# Milliseconds that copies may add to a user's p99.
MOST = 1.0


def origin(ready, answers: bool):
    """An origin that answers at once, or never; counts what it was asked."""
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: %d\r\n\r\n" % len(PAGE)
    asked = 0

    async def serve(reader, writer):
        nonlocal asked
        try:
            while True:
                request = await reader.readuntil(b"\r\n\r\n")
                if request.startswith(b"GET /asked"):
                    body = b"%d" % asked
                    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
                    continue
                asked += 1
                if answers:
                    writer.write(head + PAGE)
                    await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async def main():
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        ready.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(main())


def start_origin(answers: bool):
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.Process(target=origin, args=(theirs, answers), daemon=True)
    process.start()
    return process, ours.recv()


def ask(connection: socket.socket, path: str) -> float:
    """Seconds from the request to the last byte of the answer."""
    started = time.perf_counter()
    connection.sendall(f"GET {path} HTTP/1.1\r\nHost: crm.test\r\n\r\n".encode())
    data = b""
    while not data.endswith(PAGE):
        part = connection.recv(65536)
        assert part, "the connection was closed"
        data += part
    return time.perf_counter() - started


def quantile(values: list, share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * share))] * 1000


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--requests", type=int, default=3000)
    parser.add_argument("--rate", type=float, default=200.0, help="requests a second, all routes together")
    parser.add_argument("--binary", type=Path, default=ROOT / "target" / "debug" / "ficus")
    arguments = parser.parse_args()
    # As many as a recording may have.
    arguments.requests = min(arguments.requests, 90_000)
    origins = {name: start_origin(name != "hung") for name in ("legacy", "healthy", "hung")}
    with tempfile.TemporaryDirectory() as folder:
        backends = "".join(
            f'{name} = {{ upstreams = ["http://127.0.0.1:{port}"] }}\n' for name, (_, port) in origins.items()
        )
        Path(folder, "ficus.toml").write_text(
            '[listen]\nhttp = "127.0.0.1:0"\nadmin = "127.0.0.1:0"\nadmin_socket = "admin.sock"\n[shadow]\ntimeout = "30s"\n'
            f'[log]\naccess = "off"\n[backends]\n{backends}'
        )
        routes = "version = 1\n" + "".join(
            f'[[route]]\nname = "{kind}"\nrule = "/{kind}/<int:id>"\n'
            + (f'candidate = "{kind}"\nshadow = {{ sample = 1.0 }}\n' if kind in COPIED else "")
            for kind in KINDS
        )
        Path(folder, "routes.toml").write_text(routes)
        ficus = subprocess.Popen(
            [arguments.binary, "serve", "--config", "ficus.toml"], cwd=folder, stderr=subprocess.PIPE, text=True,
            env={**os.environ, "NO_COLOR": "1", "FICUS_FLASK_SECRET_KEY": "of-this-measurement"},
        )
        try:
            ports = {}
            for line in ficus.stderr:
                words = line.split()
                if words and words[0] in ("http", "admin"):
                    ports[words[0]] = int(words[1].rsplit(":", 1)[1])
                if words and words[0] == "routes":
                    break
            record(arguments, folder, "start", "recording", "--for", "1h", "--limit", "100000", "--bytes", "1GiB")
            broken = measure(ports, origins, arguments)
            recording = record(arguments, folder, "stop")
            told = f"{recording['requests']} requests recorded, {recording['bytes']} bytes"
            print(f"{told}, not recorded: {recording['dropped'] or 'none'}")
        finally:
            ficus.terminate()
            ficus.wait(20)
            for process, _ in origins.values():
                process.terminate()
    if broken:
        sys.exit("\n".join(broken))


def record(arguments, folder: str, *words) -> dict:
    """`ficus record`."""
    done = subprocess.run(
        [arguments.binary, "--socket", "admin.sock", "record", *words, "--json"], cwd=folder, capture_output=True, text=True,
        timeout=60, check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)["recording"]


def measure(ports: dict, origins: dict, arguments) -> list:
    """Prints the figures; what is not as it must be."""
    connection = socket.create_connection(("127.0.0.1", ports["http"]))
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    times = {kind: [] for kind in KINDS}
    for kind in KINDS * 20:
        ask(connection, f"/{kind}/1")
    for number in range(arguments.requests):
        # Each route follows each other one equally often.
        for kind in random.sample(KINDS, len(KINDS)):
            times[kind].append(ask(connection, f"/{kind}/{number}"))
            time.sleep(1 / arguments.rate)
    shares = (0.5, 0.9, 0.99, 0.999)
    print(f"{'shadow':<10}{'requests':>9}" + "".join(f"{f'p{share * 100:g}':>12}" for share in shares))
    for kind in KINDS:
        values = "".join(f"{quantile(times[kind], share):>9.2f} ms" for share in shares)
        print(f"{kind:<10}{len(times[kind]):>9}{values}")
    more = {kind: quantile(times[kind], 0.99) - quantile(times["off"], 0.99) for kind in KINDS[1:]}
    print("p99 beside off: " + ", ".join(f"{kind} {value:+.2f} ms" for kind, value in more.items()))
    with socket.create_connection(("127.0.0.1", origins["legacy"][1])) as origin_connection:
        origin_connection.sendall(b"GET /asked HTTP/1.1\r\n\r\n")
        asked = int(origin_connection.recv(4096).rsplit(b"\r\n", 1)[1])
    requests = len(KINDS) * (arguments.requests + 20)
    print(f"the served side was asked {asked} times for {requests} requests")
    with socket.create_connection(("127.0.0.1", ports["admin"])) as admin:
        admin.sendall(b"GET /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        text = b"".join(iter(lambda: admin.recv(65536), b"")).decode()
    print("\n".join(line for line in text.splitlines() if line.startswith("ficus_shadow_")))
    slow = [f"{kind}: p99 {more[kind]:+.2f} ms beside off, more than {MOST} ms" for kind in COPIED if more[kind] > MOST]
    return slow + ([] if asked == requests else [f"{requests} requests, and the served side was asked {asked} times"])


if __name__ == "__main__":
    main()
