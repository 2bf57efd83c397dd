"""`cargo xtask conformance [CASE]...`: plays the cases and prints the scoreboard."""

import sys

from .board import board, complaints
from .run import chosen, play_all


def main():
    names = sys.argv[1:]
    results = play_all(chosen(names))
    print(board(results))
    if names:
        for case, verdicts in results.items():
            for proxy, (verdict, why) in verdicts.items():
                print(f"{case} | {proxy}: {verdict} {why}")
    found = complaints(results)
    print("\n".join(found))
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
