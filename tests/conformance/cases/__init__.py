"""All cases, in the order of the scoreboard."""

from . import answers, bodies, headers, http2, lines, persistence, preamble, smuggling, timing, upgrades

ROOMS = [lines, headers, smuggling, bodies, answers, persistence, timing, upgrades, preamble, http2]
CASES = [case for room in ROOMS for case in room.CASES]
