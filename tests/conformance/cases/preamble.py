"""The PROXY protocol, versions 1 and 2, before HTTP and before TLS."""

from ..case import Case, get
from ..client import End, Pause, Read
from ..judge import DANGEROUS, WRONG, answered, arrived, holds, sent

CASES = []
V2 = b"\r\n\r\n\0\r\nQUIT\n"
FOUR = bytes([192, 0, 2, 1, 198, 51, 100, 1]) + (56324).to_bytes(2, "big") + (443).to_bytes(2, "big")
SIX = bytes.fromhex("20010db800000000000000000000000120010db8000000000000000000000002") + b"\xdc\x04\x01\xbb"


def v2(command, family, body):
    return V2 + bytes([command, family]) + len(body).to_bytes(2, "big") + body


def believed(name, preamble, who, *pieces):
    steps = [*(pieces or [preamble + get()]), Read(), End(0.05)]
    CASES.append(Case(name, steps, [answered(200), arrived(), sent(b"x-forwarded-for", who)], entrance="preamble"))


V1 = b"PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\r\n"
believed("version 1", V1, b"192.0.2.1")
believed("version 1, IPv6", b"PROXY TCP6 2001:db8::1 2001:db8::2 56324 443\r\n", b"2001:db8::1")
believed("version 1, unknown", b"PROXY UNKNOWN\r\n", b"127.0.0.1")
believed("version 1, unknown, with addresses", b"PROXY UNKNOWN 192.0.2.1 198.51.100.1 1 2\r\n", b"127.0.0.1")
believed("version 2", v2(0x21, 0x11, FOUR), b"192.0.2.1")
believed("version 2, IPv6", v2(0x21, 0x21, SIX), b"2001:db8::1")
believed("version 2, with additions", v2(0x21, 0x11, FOUR + b"\x04\0\x03abc\x01\0\x02h2"), b"192.0.2.1")
believed("version 2, local", v2(0x20, 0, b""), b"127.0.0.1")
believed("version 2, local, with addresses", v2(0x20, 0x11, FOUR), b"127.0.0.1")
believed("version 2, unspecified", v2(0x21, 0, b""), b"127.0.0.1")
believed(
    "version 1 in pieces",
    V1,
    b"192.0.2.1",
    b"PROXY TCP4 192.0",
    Pause(0.03),
    b".2.1 198.51.100.1 56324 443\r",
    Pause(0.03),
    b"\n",
    Pause(0.03),
    get(),
)
believed(
    "version 2 in pieces",
    b"",
    b"192.0.2.1",
    V2[:5],
    Pause(0.03),
    v2(0x21, 0x11, FOUR)[5:18],
    Pause(0.03),
    v2(0x21, 0x11, FOUR)[18:],
    get(),
)
CASES.append(
    Case(
        "it holds for the whole connection",
        [V1 + get(), Read(), get(), Read(2)],
        [
            holds(
                "another address",
                lambda seen: [request.all(b"x-forwarded-for") for request in seen.arrived] == [[b"192.0.2.1"]] * 2,
            )
        ],
        entrance="preamble",
    )
)
for what, preamble in {
    "no preamble": b"",
    "LF alone": V1[:-2] + b"\n",
    "no address": b"PROXY TCP4 a b 1 2\r\n",
    "a port that is none": b"PROXY TCP4 192.0.2.1 198.51.100.1 70000 443\r\n",
    "another family": b"PROXY TCP4 2001:db8::1 2001:db8::2 1 2\r\n",
    "too long": b"PROXY TCP4 " + b"1" * 200 + b"\r\n",
    "version 2, another version": v2(0x31, 0x11, FOUR),
    "version 2, another command": v2(0x22, 0x11, FOUR),
    "version 2, too short": v2(0x21, 0x11, FOUR[:8]),
}.items():
    CASES.append(
        Case(
            f"refused: {what}",
            [preamble + get(), Read(), End()],
            [holds("served", lambda seen: not seen.arrived, DANGEROUS if not preamble else WRONG)],
            entrance="preamble",
        )
    )
for what, preamble in {"version 1": V1, "version 2": v2(0x21, 0x11, FOUR)}.items():
    CASES.append(
        Case(
            f"{what} before TLS",
            get(),
            [answered(200), arrived(), sent(b"x-forwarded-for", b"192.0.2.1"), sent(b"x-forwarded-proto", b"https")],
            entrance="preamble_tls",
            before=preamble,
        )
    )
CASES.append(
    Case(
        "refused: no preamble before TLS",
        get(),
        [holds("served", lambda seen: not seen.arrived, DANGEROUS)],
        entrance="preamble_tls",
    )
)
CASES.append(
    Case(
        "a preamble of a stranger",
        [V1 + get(), Read(), End()],
        [holds("believed", lambda seen: not seen.arrived, DANGEROUS)],
    )
)
