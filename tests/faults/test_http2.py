"""Clients of HTTP/2 that take their time: what they hold is given back, and nobody else notices."""

import socket
import ssl

import pytest
import trustme
from hyperframe.frame import SettingsFrame

from conformance.http2 import PREFACE, Http2
from faults.openloop import OpenLoop
from stack.process import free_port, wait_until

LARGE = 8 * 1024 * 1024
SHORT = """[timeouts]
client_header = "1s"
client_body = "1s"
client_idle = "1s"
upstream = "2s"
"""


class Clients:
    """Opens connections to a node's TLS listener; they are closed after the test."""

    def __init__(self, address):
        self._address = address
        self._open = []

    def http2(self, settings=None) -> Http2:
        client = Http2(self._address, patience=30).open(settings)
        self._open.append(client.client.sock)
        assert client.negotiated == "h2"
        return client

    def silent(self) -> ssl.SSLSocket:
        """Chooses HTTP/2, and says nothing more."""
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.set_alpn_protocols(["h2"])
        sock = context.wrap_socket(socket.create_connection(self._address, timeout=30))
        self._open.append(sock)
        return sock

    def close(self):
        for sock in self._open:
            sock.close()


@pytest.fixture
def tls_node(start_node, tmp_path):
    """A node with short limits, and clients for its TLS listener."""
    chain, key = tmp_path / "chain.pem", tmp_path / "key.pem"
    certificate = trustme.CA().issue_cert("a.example")
    certificate.private_key_pem.write_to_path(key)
    for part in certificate.cert_chain_pems:
        part.write_to_path(chain, append=True)
    port = free_port()
    tls = f'address = "127.0.0.1:{port}"\ncertificate = "{chain}"\nkey = "{key}"\n'
    node = start_node(settings=f"[listen.https]\n{tls}{SHORT}")
    clients = Clients(("127.0.0.1", port))
    yield node, clients
    clients.close()


def given_back(node):
    """Until no client holds a connection; the question itself comes over the admin listener."""
    wait_until(lambda: node.metric("ficus_connections") == 0, "the connections are given back")


def ended(sock) -> bool:
    """Whether the other end has closed, within the socket's patience."""
    try:
        while sock.recv(65536):
            pass
    except ConnectionError:
        pass
    return True


def test_an_idle_connection_ends(tls_node):
    node, clients = tls_node
    client = clients.http2()
    client.get(1, "/old/1?id=1")
    assert client.answered(1) and client.stream(1).status == 200
    assert ended(client.client.sock)
    given_back(node)


@pytest.mark.parametrize("sent", [b"", PREFACE[:10], PREFACE, PREFACE + SettingsFrame(0).serialize() + b"\0\0\x10"])
def test_a_connection_that_says_nothing_more_ends(tls_node, sent):
    node, clients = tls_node
    sock = clients.silent()
    sock.sendall(sent)
    assert ended(sock)
    given_back(node)


def test_a_reader_without_a_window_gives_up_its_stream(tls_node):
    """The client asks for much and lets nothing in: what is kept for it must go."""
    node, clients = tls_node
    client = clients.http2({SettingsFrame.INITIAL_WINDOW_SIZE: 0})
    client.get(1, f"/old/1?id=1&bytes={LARGE}")
    over = lambda: client.stream(1).reset is not None or client.goaway is not None or client.client.eof
    assert client.read(over) or client.client.eof
    assert not client.stream(1).ended
    client.client.sock.close()
    given_back(node)


def test_a_reader_that_never_reads_gives_up_its_connection(tls_node):
    """Windows without end, and a socket from which nothing is taken."""
    node, clients = tls_node
    client = clients.http2({SettingsFrame.INITIAL_WINDOW_SIZE: 2**31 - 1})
    for number in range(1, 9, 2):
        client.get(number, f"/old/{number}?id={number}&bytes={8 * LARGE}")
    given_back(node)


def test_a_body_that_does_not_come_gives_up_its_stream(tls_node):
    node, clients = tls_node
    client = clients.http2()
    client.get(1, "/old/upload?id=1", method="POST", end=False, extra=[("content-length", "100000")])
    client.data(1, b"a" * 10)
    assert client.answered(1)
    assert client.stream(1).status == 408 or client.stream(1).reset is not None
    assert node.executed()[("1", "POST")] == 0
    client.client.sock.close()
    given_back(node)


def test_others_do_not_notice(tls_node):
    node, clients = tls_node
    for _ in range(50):
        clients.silent()
        client = clients.http2({SettingsFrame.INITIAL_WINDOW_SIZE: 0})
        client.get(1, f"/old/1?id=1&bytes={LARGE}")
    with OpenLoop(node.port) as load:
        wait_until(lambda: load.done() >= 100, "the load runs")
    assert all(result.good for result in load.results)
    given_back(node)
