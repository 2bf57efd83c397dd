"""Plays every case against every proxy: the proxies beside each other, each as many cases at once as it has lanes."""

import tempfile
import threading
from collections import deque
from pathlib import Path

from .cases import CASES
from .judge import OK
from .proxies import available

LANES = 5
#: First a short wait for what does not come; who does not do well gets another try with more patience.
PATIENCE, MORE_PATIENCE = 2.0, 8.0


def play_all(cases, only=None):
    """Verdicts by case and proxy: {case name: {proxy name: (verdict, why)}}."""
    results = {case.name: {} for case in cases}
    with tempfile.TemporaryDirectory(prefix="conformance-") as folder:
        proxies = [kind(Path(folder), LANES) for kind in available() if only is None or kind.name in only]
        try:
            for proxy in proxies:
                proxy.start()
            threads = [thread for proxy in proxies for thread in _threads(proxy, cases, results)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        finally:
            for proxy in proxies:
                proxy.stop()
    return results


def _threads(proxy, cases, results):
    special = [case for case in cases if case.entrance not in ("http", "https")]
    common = deque(case for case in cases if case.entrance in ("http", "https"))

    def work(lane, own):
        while own or common:
            try:
                case = own.popleft() if own else common.popleft()
            except IndexError:
                return
            results[case.name][proxy.name] = _verdict(case, lane)

    # Only the first lane has every entrance.
    own = [deque(special)] + [deque() for _ in proxy.lanes[1:]]
    return [threading.Thread(target=work, args=pair, daemon=True) for pair in zip(proxy.lanes, own)]


def _verdict(case, lane):
    try:
        verdict, why, seen = case.run(lane, PATIENCE)
        if verdict != OK:
            # Perhaps something of the case before came late, or the machine was busy.
            verdict, why, seen = case.run(lane, MORE_PATIENCE if seen.timed_out else PATIENCE)
        return verdict, why
    except Exception as problem:
        return "wrong", f"the case itself failed: {problem!r}"


def chosen(names):
    """The cases whose names contain one of these, all of them for none."""
    return [case for case in CASES if not names or any(name in case.name for name in names)]
