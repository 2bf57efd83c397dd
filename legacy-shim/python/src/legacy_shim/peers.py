"""Who is at the other end of the connection, and whether it may speak for others.

First step of a request in `middleware`. Reading what a trusted peer says is in `forwarded`.
"""

import ipaddress
from typing import Any
from typing import Iterable
from typing import List
from typing import Mapping
from typing import NamedTuple
from typing import Optional
from typing import Tuple
from typing import Union

Address = Union[ipaddress.IPv4Address, ipaddress.IPv6Address]
Network = Union[ipaddress.IPv4Network, ipaddress.IPv6Network]

_LOOPBACK = ("127.0.0.0/8", "::1/128")
#: What servers put into REMOTE_ADDR when the connection is a Unix socket: gunicorn and uWSGI nothing,
#: Werkzeug `<local>`, waitress `localhost`. A TCP connection always has an address there.
_UNIX = ("", "<local>", "unix", "unix:", "localhost")


class Peers(NamedTuple):
    """The peers that are trusted."""

    networks: Tuple[Network, ...]
    unix: bool

    def trusts(self, remote_addr: Optional[str]) -> bool:
        """Whether a REMOTE_ADDR belongs to a trusted peer."""
        if (remote_addr or "") in _UNIX:
            return self.unix
        return self.trusts_address(parse_address(remote_addr or ""))

    def trusts_address(self, address: Optional[Address]) -> bool:
        """Whether an address belongs to a trusted peer; `None` never does."""
        if address is None:
            return False
        return any(address.version == net.version and address in net for net in self.networks)


def parse_peers(value: Any) -> Peers:
    """Reads `loopback, unix, 10.0.0.0/8`, as one text or as a list."""
    networks: List[Network] = []
    unix = False
    for item in _items(value):
        if item == "unix":
            unix = True
        elif item == "loopback":
            networks.extend(ipaddress.ip_network(block) for block in _LOOPBACK)
        else:
            networks.append(_network(item))
    return Peers(tuple(networks), unix)


def parse_address(text: str) -> Optional[Address]:
    """Reads an address as forwarded headers write it: with or without port and brackets."""
    text = text.strip().strip('"')
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    # A dual-stack socket shows 127.0.0.1 as ::ffff:127.0.0.1.
    return getattr(address, "ipv4_mapped", None) or address


def peer_of(environ: Mapping[str, Any]) -> str:
    """REMOTE_ADDR, or nothing for a Unix socket."""
    return str(environ.get("REMOTE_ADDR") or "")


def _items(value: Any) -> Iterable[str]:
    parts = value.split(",") if isinstance(value, str) else (value or ())
    return [str(part).strip() for part in parts if str(part).strip()]


def _network(item: str) -> Network:
    try:
        return ipaddress.ip_network(item, strict=False)
    except ValueError:
        raise ValueError(f"`{item}` is not an address, a network, `loopback` or `unix`") from None
