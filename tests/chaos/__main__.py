"""`python -m tests.chaos`: one chaos run; what it found stands in verdict.json. Exit codes: 0 good, 1 not, 2 wrong use.

Example: python -m tests.chaos --orders 1000 --seed 7
"""

import argparse
import asyncio
import shutil
import sys
from pathlib import Path

from tests.chaos.play import AT_ONCE, Verdict, again, new_folder, play

KEPT = Path("var/chaos")


def main() -> int:
    options = _options()
    folder = new_folder(options.seed)
    print(f"data and logs: {folder}", file=sys.stderr)
    try:
        verdict = asyncio.run(play(options.orders, options.seed, folder, at_once=options.at_once, tell=_tell))
    except BaseException:
        print(f"there is no verdict; again: {again(options.orders, options.seed)}", file=sys.stderr)
        raise
    KEPT.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(folder / "verdict.json", KEPT / "verdict.json")
    show(verdict)
    if verdict.ok:
        shutil.rmtree(folder, ignore_errors=True)
    return 0 if verdict.ok else 1


def show(verdict: Verdict) -> None:
    """What was found, what struck, and the verdict as the last line."""
    for finding in verdict.findings:
        print(f"{finding['kind']}: {finding['order'] or 'the whole'}: {finding['what']}")
    for case in verdict.unforeseen:
        print(f"parked, and tried again: {case['order']}: {case['step']}: {case['why']}")
    print("faults: " + ", ".join(f"{kind} {times}" for kind, times in verdict.faults.items()))
    print("kills: " + ", ".join(f"{process} {times}" for process, times in verdict.kills.items()))
    print("orders: " + ", ".join(f"{stage} {count}" for stage, count in verdict.ended.items()))
    if not verdict.ok:
        print(f"again: {verdict.repeat}\ndata and logs: {verdict.data}")
    print(f"{verdict.line}; the whole verdict: {KEPT / 'verdict.json'}")


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--orders", type=_count, default=1000, help="how many orders (default 1000)")
    parser.add_argument("--seed", type=int, default=7, help="another seed makes another run (default 7)")
    parser.add_argument("--at-once", type=_count, default=AT_ONCE, help=f"open orders at a time (default {AT_ONCE})")
    return parser.parse_args()


def _count(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 99_999:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 to 99999")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
