"""What is right: checks of what client and origin saw, each ending in one of four verdicts.

ok         as the RFCs (9110, 9112, 9113) have it
degraded   allowed or harmless, but less than a client may hope for
wrong      not as it must be, but nobody is put in danger
dangerous  ambiguity handed on, requests smuggled or done twice, a broken answer that looks whole
"""

import re

OK, DEGRADED, WRONG, DANGEROUS = "ok", "degraded", "wrong", "dangerous"
ORDER = [OK, DEGRADED, WRONG, DANGEROUS]
TOKEN = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


def worst(findings):
    """The worst of several (verdict, why); ok if there is none."""
    return max(findings, key=lambda finding: ORDER.index(finding[0]), default=(OK, ""))


def head_hazards(raw, request=True):
    """What makes a head mean different things to different readers."""
    found = []
    if not raw.endswith(b"\r\n\r\n"):
        return found
    text = raw[:-4]
    if re.search(rb"(?<!\r)\n|\r(?!\n)", text):
        found.append("bare CR or LF")
    if b"\0" in text:
        found.append("NUL")
    lines = text.split(b"\r\n")
    words = lines[0].split(b" ")
    if request and (len(words) != 3 or re.search(rb"[\x00-\x20\x7f]", b"".join(words))):
        found.append("request line")
    names = []
    for line in lines[1:]:
        name, colon, value = line.partition(b":")
        if not colon or not TOKEN.fullmatch(name):
            found.append(f"header line {line[:30]!r}")
        if re.search(rb"[\x00-\x08\x0a-\x1f\x7f]", value):
            found.append(f"control byte in {name!r}")
        names.append((name.lower(), value.strip(b" \t")))
    values = lambda wanted: [value for name, value in names if name == wanted]
    lengths, codings = values(b"content-length"), values(b"transfer-encoding")
    if lengths and codings:
        found.append("Content-Length beside Transfer-Encoding")
    if len(lengths) > 1 or any(not value.isdigit() for value in lengths):
        found.append("Content-Length")
    if codings and [value.lower() for value in codings] != [b"chunked"]:
        found.append("Transfer-Encoding")
    if request and len(values(b"host")) > 1:
        found.append("two Hosts")
    return found


def chunk_hazards(raw):
    """Chunks that readers may take differently; what is no chunk at all they refuse."""
    return (
        ["control byte in a chunk line"] if re.search(rb"(^|\r\n)[0-9A-Fa-f]+[^\r\n]*[\0\x7f][^\r\n]*\r\n", raw) else []
    )


def always(seen):
    """Holds for every case: nothing ambiguous leaves the proxy on either side."""
    for request in seen.arrived:
        for hazard in head_hazards(request.raw_head):
            yield DANGEROUS, f"the origin got: {hazard}"
        for hazard in chunk_hazards(request.raw_body) if request.all(b"transfer-encoding") else []:
            yield DANGEROUS, f"the origin got: {hazard}"
        if b"smuggled" in request.line:
            yield DANGEROUS, "a smuggled request reached the origin"
    for reply in seen.replies + seen.interim:
        for hazard in head_hazards(reply.raw_head, request=False):
            yield DANGEROUS, f"the client got: {hazard}"


# Checks of requests that must go no further.


def refused(*statuses, normal=WRONG, silent=DEGRADED):
    """The origin gets no complete request, the client a status of these (400 if none is named) or another 4xx.

    `normal`: what it is if the request is passed on in unambiguous form. `silent`: closed without an answer."""
    statuses = statuses or (400,)

    def check(seen):
        if any(request.complete for request in seen.arrived):
            yield normal, "passed on"
            return
        if seen.h2:
            return
        if seen.reply is None:
            yield (silent, "closed without an answer") if seen.closed else (WRONG, "neither answered nor closed")
        elif seen.reply.status not in statuses:
            fits = 400 <= seen.reply.status < 500 or seen.reply.status in (501, 505)
            yield (OK if fits else WRONG), f"status {seen.reply.status}"

    return check


def closed(verdict=DEGRADED):
    def check(seen):
        if not seen.closed:
            yield verdict, "the connection stays open"

    return check


# Checks of requests that must arrive.


def answered(*statuses):
    """The client gets whole answers with these statuses, in this order."""

    def check(seen):
        got = [reply.status for reply in seen.replies]
        if got != list(statuses):
            yield WRONG, f"statuses {got}, expected {list(statuses)}" + (" (silence)" if seen.timed_out else "")
        elif not all(reply.complete for reply in seen.replies):
            yield WRONG, "an answer is not complete"

    return check


def arrived(count=1):
    """So many requests reach the origin, whole."""

    def check(seen):
        whole = [request for request in seen.arrived if request.complete]
        if len(whole) > count:
            yield DANGEROUS, f"{len(whole)} requests reached the origin, expected {count}"
        elif len(whole) < count:
            yield WRONG, f"{len(whole)} requests reached the origin, expected {count}"

    return check


def line(expected, verdict=WRONG):
    """The request line at the origin."""

    def check(seen):
        got = seen.arrived[0].line if seen.arrived else None
        if got != expected:
            yield verdict, f"request line {got!r}"

    return check


def sent(name, *values, verdict=WRONG):
    """A header at the origin has these values."""

    def check(seen):
        got = seen.arrived[0].all(name) if seen.arrived else None
        if got != list(values):
            yield verdict, f"{name.decode()} at the origin: {got}"

    return check


def not_sent(*names, verdict=WRONG):
    """The origin gets none of these headers."""

    def check(seen):
        for request in seen.arrived:
            for name in names:
                if request.all(name):
                    yield verdict, f"{name.decode()} at the origin: {request.all(name)}"

    return check


def sent_body(expected):
    def check(seen):
        got = seen.arrived[0].body if seen.arrived else None
        if got != expected:
            yield DANGEROUS if got else WRONG, f"body at the origin: {got and got[:40]!r}"

    return check


# Checks of answers.


def got(name, *values, verdict=WRONG):
    """A header of the answer has these values."""

    def check(seen):
        values_got = seen.reply.all(name) if seen.reply else None
        if values_got != list(values):
            yield verdict, f"{name.decode()} at the client: {values_got}"

    return check


def not_got(*names, verdict=WRONG):
    def check(seen):
        for name in names:
            if seen.reply and seen.reply.all(name):
                yield verdict, f"{name.decode()} at the client: {seen.reply.all(name)}"

    return check


def got_body(expected):
    def check(seen):
        body = seen.reply.body if seen.reply else None
        if body != expected:
            yield WRONG, f"body at the client: {body and body[:40]!r}"

    return check


def not_whole(statuses=(502, 504)):
    """A broken answer is replaced by an error, or visibly broken."""

    def check(seen):
        reply = seen.reply
        if seen.h2:
            stream = seen.h2.stream(1)
            if stream.status not in statuses and stream.ended and stream.reset is None:
                yield DANGEROUS, "a broken answer looks whole"
        elif reply is None:
            yield DEGRADED if seen.closed else WRONG, "no answer"
        elif reply.status not in statuses and reply.complete:
            yield DANGEROUS, f"a broken answer looks whole: {reply.status} {reply.body[:30]!r}"

    return check


def bad_gateway(*statuses, normal=WRONG):
    """The answer is not handed on; `normal`: what it is if it is, in unambiguous form."""
    statuses = statuses or (502,)

    def check(seen):
        if seen.reply is None:
            yield DEGRADED if seen.closed else WRONG, "no answer"
        elif seen.reply.status not in statuses:
            yield normal, f"status {seen.reply.status}"

    return check


def nothing_but_replies(verdict=DANGEROUS):
    """After the answers comes nothing."""

    def check(seen):
        if seen.garbage:
            yield verdict, f"bytes after the answer: {seen.garbage[:40]!r}"

    return check


# Checks of HTTP/2 streams.


def h2_status(number, status):
    def check(seen):
        stream = seen.h2.stream(number)
        if stream.status != status:
            yield WRONG, f"stream {number}: status {stream.status}, reset {stream.reset}, goaway {seen.h2.goaway}"
        elif not stream.ended:
            yield WRONG, f"stream {number} does not end"

    return check


def h2_refused(number=1, normal=WRONG, connection=False):
    """The stream (or the connection) is refused: reset, goaway, closed, or 4xx; the origin gets nothing whole."""

    def check(seen):
        h2 = seen.h2
        stream = h2.stream(number)
        if any(request.complete for request in seen.arrived):
            yield normal, "passed on"
        elif connection and (h2.goaway is None and not seen.closed):
            yield WRONG, "the connection goes on"
        elif not (
            stream.reset is not None
            or h2.goaway is not None
            or seen.closed
            or (stream.status and (400 <= stream.status < 500 or stream.status == 501))
        ):
            yield WRONG, f"stream {number}: status {stream.status}"

    return check


def h2_got(number, name, *values):
    def check(seen):
        found = seen.h2.stream(number).header(name)
        if found != list(values):
            yield WRONG, f"{name.decode()} on stream {number}: {found}"

    return check


def h2_body(number, expected):
    def check(seen):
        body = seen.h2.stream(number).body
        if body != expected:
            yield WRONG, f"body on stream {number}: {body[:40]!r}"

    return check


def holds(what, condition, verdict=WRONG):
    """Any other condition."""

    def check(seen):
        if not condition(seen):
            yield verdict, what

    return check
