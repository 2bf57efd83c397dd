"""The scoreboard, and the reasons where Ficus is not as good as the best of the others."""

import tomllib
from pathlib import Path

from .judge import ORDER
from .proxies import PEERS, Ficus

MARKS = {"ok": "ok", "degraded": "degraded", "wrong": "WRONG", "dangerous": "DANGEROUS"}
EXCEPTIONS = Path(__file__).parent / "exceptions.toml"


def proxies_in(results):
    found = {name for verdicts in results.values() for name in verdicts}
    return [kind.name for kind in (Ficus, *PEERS.values()) if kind.name in found]


def board(results):
    """One line a case where anybody is less than ok, and the sums."""
    names = proxies_in(results)
    width = max((len(name) for name in results), default=0)
    head = f"{'case':<{width}}  " + "  ".join(f"{name:<9}" for name in names)
    lines = [head, "-" * len(head)]
    for case, verdicts in results.items():
        if any(verdict != "ok" for verdict, _ in verdicts.values()):
            marks = "  ".join(f"{MARKS[verdicts[name][0]] if name in verdicts else '-':<9}" for name in names)
            why = verdicts.get("ficus", ("ok", ""))[1]
            lines.append(f"{case:<{width}}  {marks}  {why}".rstrip())
    lines += ["", f"{len(results)} cases; those where every proxy is ok are not shown"]
    for verdict in ORDER:
        sums = (sum(verdicts.get(name, ("",))[0] == verdict for verdicts in results.values()) for name in names)
        lines.append(f"{verdict:<{width}}  " + "  ".join(f"{count:<9}" for count in sums))
    return "\n".join(lines) + "\n"


def exceptions():
    """Written reasons by case, for being worse than others. For a dangerous verdict there is no reason."""
    return {entry["case"]: entry for entry in tomllib.loads(EXCEPTIONS.read_text())["exception"]}


def rank(verdict):
    return ORDER.index(verdict)


def complaints(results):
    """What must not be: dangerous verdicts, and those that are worse than the best of the others without a reason."""
    reasons, found = exceptions(), []
    for case, verdicts in results.items():
        verdict, why = verdicts["ficus"]
        best = min((rank(other) for name, (other, _) in verdicts.items() if name != "ficus"), default=0)
        if verdict == "dangerous":
            found.append(f"{case}: dangerous: {why}")
        elif rank(verdict) > best and case not in reasons:
            found.append(f"{case}: {verdict}, worse than the best of the others: {why}")
    known = set(results)
    found += [
        f"exceptions.toml: there is no case `{case}`" for case in reasons if len(known) > 100 and case not in known
    ]
    for case in reasons:
        if case in results and results[case]["ficus"][0] == "ok":
            found.append(f"exceptions.toml: `{case}` is ok and needs no reason")
    return found
