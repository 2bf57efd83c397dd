"""Starts the proxies: Ficus, nginx, HAProxy, Envoy, each with the same duties and several lanes.

A lane is an origin of its own and the addresses that lead to it, so that cases run beside each other and every case
still knows what its origin got. What the lanes of one proxy share is the process (Ficus has one origin a process).
"""

import json
import os
import signal
import socket
import subprocess
import time
from pathlib import Path

import trustme

from stack.process import free_port

from .origin import Origin

HOST = "127.0.0.1"
#: How long a head may take, and how long an upstream; small, so that cases need not wait.
HEAD_SECONDS = 1
UPSTREAM_SECONDS = 3
#: How long a client may pause in a body.
BODY_SECONDS = 1
#: Entrances: plain, TLS, with a PROXY preamble, and from a trusted proxy.
ENTRANCES = ("http", "https", "preamble", "preamble_tls", "trusted")


class Lane:
    """One origin and the ways to it."""

    def __init__(self, origin=None):
        self.origin = origin or Origin()
        self.ports = {}

    def address(self, entrance):
        return HOST, self.ports[entrance]


def free_ports(count):
    return [free_port() for _ in range(count)]


class Proxy:
    """A proxy under test and its lanes."""

    name = ""

    def __init__(self, folder: Path, lanes: int):
        self.folder = folder / self.name
        self.folder.mkdir(parents=True)
        self.children = []
        self.lanes = [Lane() for _ in range(lanes)]
        certificate = trustme.CA().issue_cert("conformance.example")
        self.key, self.chain = self.folder / "key.pem", self.folder / "chain.pem"
        certificate.private_key_pem.write_to_path(self.key)
        for part in certificate.cert_chain_pems:
            part.write_to_path(self.chain, append=True)

    def spawn(self, command, **environment):
        with open(self.folder / "log", "ab") as log:
            child = subprocess.Popen(
                [str(word) for word in command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                env=os.environ | environment,
            )
        self.children.append(child)
        return child

    def assign(self, entrances):
        for lane in self.lanes:
            for entrance, port in zip(entrances, free_ports(len(entrances))):
                lane.ports[entrance] = port

    def wait(self, seconds=60):
        end = time.monotonic() + seconds
        for lane in self.lanes:
            for entrance, port in lane.ports.items():
                while True:
                    if any(child.poll() is not None for child in self.children) or time.monotonic() > end:
                        raise RuntimeError(f"{self.name} does not start:\n{(self.folder / 'log').read_text()}")
                    try:
                        socket.create_connection((HOST, port), timeout=1).close()
                        break
                    except OSError:
                        time.sleep(0.02)

    def stop(self):
        for child in self.children:
            child.send_signal(signal.SIGKILL)
        for child in self.children:
            child.wait()
        for lane in self.lanes:
            lane.origin.stop()


class Ficus(Proxy):
    name = "ficus"

    def start(self):
        for number, lane in enumerate(self.lanes):
            self._one(lane, f"plain-{number}", ("http", "https"))
        lane = self.lanes[0]
        self._one(lane, "preamble", ("preamble", "preamble_tls"), FICUS_LISTEN_PROXY_PROTOCOL="127.0.0.0/8")
        self._one(lane, "trusted", ("trusted", "unused"), FICUS_LISTEN_TRUSTED_PROXIES="127.0.0.0/8")
        lane.ports.pop("unused")
        self.wait()

    def _one(self, lane, name, entrances, **more):
        home = self.folder / name
        home.mkdir()
        (home / "routes.toml").write_text("version = 1\n")
        plain, tls = free_ports(2)
        lane.ports.update(zip(entrances, (plain, tls)))
        self.spawn(
            [Path(os.environ["FICUS_BINARIES"]) / "ficus", "serve", "--routes", home / "routes.toml"],
            FICUS_LISTEN_HTTP=f"{HOST}:{plain}",
            FICUS_LISTEN_HTTPS_ADDRESS=f"{HOST}:{tls}",
            FICUS_LISTEN_HTTPS_CERTIFICATE=str(self.chain),
            FICUS_LISTEN_HTTPS_KEY=str(self.key),
            FICUS_LISTEN_ADMIN="off",
            FICUS_LISTEN_ADMIN_SOCKET=str(home / "admin.sock"),
            FICUS_BACKENDS_LEGACY=f"http://{HOST}:{lane.origin.port}",
            FICUS_STORE_URL=f"sqlite:{home}/ficus.db",
            FICUS_TIMEOUTS_CLIENT_HEADER=f"{HEAD_SECONDS}s",
            FICUS_TIMEOUTS_CLIENT_BODY=f"{BODY_SECONDS}s",
            FICUS_TIMEOUTS_UPSTREAM=f"{UPSTREAM_SECONDS}s",
            FICUS_LOG_ACCESS="off",
            **more,
        )


def libraries():
    return {"LD_LIBRARY_PATH": os.environ.get("PEER_LIBRARIES", "")}


class Nginx(Proxy):
    name = "nginx"

    def start(self):
        self.assign(ENTRANCES)
        servers = "\n".join(self._server(lane) for lane in self.lanes)
        folders = "\n".join(
            f"{kind}_temp_path {self.folder}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        (self.folder / "nginx.conf").write_text(f"""
            daemon off; master_process off; worker_processes 1; pid {self.folder}/pid; error_log {self.folder}/log;
            events {{ worker_connections 1024; }}
            http {{
                access_log off; {folders}
                map $http_upgrade $connection_upgrade {{ default upgrade; '' close; }}
                client_header_timeout {HEAD_SECONDS}s; client_body_timeout {BODY_SECONDS}s; client_max_body_size 64m; large_client_header_buffers 4 32k;
                proxy_http_version 1.1; proxy_buffering off; proxy_request_buffering off;
                proxy_read_timeout {UPSTREAM_SECONDS}s;
                proxy_set_header Host $http_host;
                proxy_set_header Upgrade $http_upgrade;
                proxy_set_header Connection $connection_upgrade;
                proxy_set_header X-Forwarded-Proto $scheme;
                proxy_set_header X-Forwarded-Host $http_host;
                proxy_pass_header Server; proxy_pass_header Date;
                ssl_certificate {self.chain}; ssl_certificate_key {self.key};
                {servers}
            }}""")
        program = os.environ["PEER_NGINX"]
        self.spawn([program, "-p", self.folder, "-c", self.folder / "nginx.conf"], **libraries())
        self.wait()

    def _server(self, lane):
        to = f"proxy_pass http://{HOST}:{lane.origin.port};"
        trusted = "proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;"
        plain = "proxy_set_header X-Forwarded-For $remote_addr;"
        behind = "proxy_set_header X-Forwarded-For $proxy_protocol_addr;"
        ports = lane.ports
        common = """proxy_set_header Host $http_host; proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection $connection_upgrade; proxy_set_header X-Forwarded-Proto $scheme;
            proxy_set_header X-Forwarded-Host $http_host;"""
        server = lambda listen, who: f"server {{ {listen} location / {{ {to} {common} {who} }} }}\n"
        return (
            server(f"listen {HOST}:{ports['http']}; listen {HOST}:{ports['https']} ssl http2;", plain)
            + server(f"listen {HOST}:{ports['trusted']};", trusted)
            + server(
                f"listen {HOST}:{ports['preamble']} proxy_protocol;"
                f"listen {HOST}:{ports['preamble_tls']} ssl proxy_protocol;",
                behind,
            )
        )


class HAProxy(Proxy):
    name = "haproxy"

    def start(self):
        self.assign(ENTRANCES)
        pem = self.folder / "both.pem"
        pem.write_text(self.chain.read_text() + self.key.read_text())
        parts = "\n".join(self._lane(number, lane, pem) for number, lane in enumerate(self.lanes))
        (self.folder / "haproxy.cfg").write_text(f"""
global
    nbthread 1
    log stderr format raw local0 emerg
defaults
    mode http
    timeout http-request {HEAD_SECONDS}s
    timeout client {UPSTREAM_SECONDS}s
    timeout http-keep-alive 5s
    timeout connect 1s
    timeout server {UPSTREAM_SECONDS}s
    timeout tunnel 30s
{parts}
""")
        self.spawn([os.environ["PEER_HAPROXY"], "-f", self.folder / "haproxy.cfg", "-db"], **libraries())
        self.wait()

    def _lane(self, number, lane, pem):
        ports = lane.ports
        headers = """
    http-request set-header X-Forwarded-Proto %[ssl_fc,iif(https,http)]
    http-request set-header X-Forwarded-Host %[req.hdr(host)]"""
        strangers = "    http-request del-header X-Forwarded-For\n    http-request del-header Forwarded\n"
        return f"""
frontend in{number}
    bind {HOST}:{ports["http"]}
    bind {HOST}:{ports["https"]} ssl crt {pem} alpn h2,http/1.1
    bind {HOST}:{ports["preamble"]} accept-proxy
    bind {HOST}:{ports["preamble_tls"]} accept-proxy ssl crt {pem} alpn http/1.1
{strangers}    option forwardfor{headers}
    default_backend origin{number}
frontend trusted{number}
    bind {HOST}:{ports["trusted"]}
    option forwardfor{headers}
    default_backend origin{number}
backend origin{number}
    server origin {HOST}:{lane.origin.port}
"""


class Envoy(Proxy):
    name = "envoy"

    def start(self):
        self.assign(ENTRANCES)
        listeners, clusters = [], []
        for number, lane in enumerate(self.lanes):
            clusters.append(self._cluster(number, lane))
            for entrance in ENTRANCES:
                listeners.append(self._listener(number, lane, entrance))
        config = {"static_resources": {"listeners": listeners, "clusters": clusters}}
        (self.folder / "envoy.json").write_text(json.dumps(config))
        self.spawn(
            [
                os.environ["PEER_ENVOY"],
                "-c",
                self.folder / "envoy.json",
                "--concurrency",
                "1",
                "--disable-hot-restart",
                "--log-level",
                "error",
            ]
        )
        self.wait()

    def _cluster(self, number, lane):
        address = {"socket_address": {"address": HOST, "port_value": lane.origin.port}}
        return {
            "name": f"origin{number}",
            "connect_timeout": "1s",
            "type": "STATIC",
            "load_assignment": {
                "cluster_name": f"origin{number}",
                "endpoints": [{"lb_endpoints": [{"endpoint": {"address": address}}]}],
            },
        }

    def _listener(self, number, lane, entrance):
        kind = "type.googleapis.com/envoy.extensions"
        manager = {
            "@type": f"{kind}.filters.network.http_connection_manager.v3.HttpConnectionManager",
            "stat_prefix": "in",
            "use_remote_address": True,
            "common_http_protocol_options": {"headers_with_underscores_action": "DROP_HEADER"},
            "http_protocol_options": {"accept_http_10": True, "default_host_for_http_10": "old.example"},
            "request_headers_timeout": f"{HEAD_SECONDS}s",
            "stream_idle_timeout": f"{UPSTREAM_SECONDS}s",
            "upgrade_configs": [{"upgrade_type": "websocket"}],
            "server_header_transformation": "PASS_THROUGH",
            "proxy_100_continue": True,
            "http_filters": [
                {"name": "router", "typed_config": {"@type": f"{kind}.filters.http.router.v3.Router"}},
            ],
            "route_config": {
                "virtual_hosts": [
                    {
                        "name": "all",
                        "domains": ["*"],
                        "routes": [
                            {
                                "match": {"prefix": "/"},
                                "route": {"cluster": f"origin{number}", "timeout": f"{UPSTREAM_SECONDS}s"},
                            }
                        ],
                    }
                ]
            },
        }
        if entrance == "trusted":
            manager["xff_num_trusted_hops"] = 1
        chain = {"filters": [{"name": "http", "typed_config": manager}]}
        if entrance in ("https", "preamble_tls"):
            files = {"certificate_chain": {"filename": str(self.chain)}, "private_key": {"filename": str(self.key)}}
            chain["transport_socket"] = {
                "name": "tls",
                "typed_config": {
                    "@type": f"{kind}.transport_sockets.tls.v3.DownstreamTlsContext",
                    "common_tls_context": {"tls_certificates": [files], "alpn_protocols": ["h2", "http/1.1"]},
                },
            }
        listener = {
            "name": f"{entrance}{number}",
            "filter_chains": [chain],
            "address": {"socket_address": {"address": HOST, "port_value": lane.ports[entrance]}},
        }
        if entrance.startswith("preamble"):
            listener["listener_filters"] = [
                {
                    "name": "proxy",
                    "typed_config": {
                        "@type": f"{kind}.filters.listener.proxy_protocol.v3.ProxyProtocol",
                    },
                }
            ]
        return listener


PEERS = {"PEER_NGINX": Nginx, "PEER_HAPROXY": HAProxy, "PEER_ENVOY": Envoy}


def available():
    """The proxies that this machine can start; Ficus is always one."""
    return [Ficus] + [peer for variable, peer in PEERS.items() if os.environ.get(variable)]
