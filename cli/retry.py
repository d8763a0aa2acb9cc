"""`retry`: try the parked steps that a query selects again, after a look at what that would be."""

import asyncio
import sys
from collections import Counter
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from cli.api import Api, find_api, good
from cli.options import ApiUrl, Json, Token
from cli.progress import Progress
from cli.screen import Screen
from cli.trouble import ATTENTION, GOOD, WRONG_USE, Trouble, wrong_use
from cli.words import age, money, seconds_of, sums

PORTION = 20  # cases in one request: often enough for progress to move
_TAKEN = ("accepted", "decided meanwhile")


def retry(
    reason: Annotated[str, typer.Option(help="Why; kept with each decision.")] = "",
    system: Annotated[str, typer.Option(help="Only cases of this system.")] = "",
    error: Annotated[str, typer.Option(help="Only where this stands in what came back.")] = "",
    step: Annotated[str, typer.Option(help="Only cases of this step.")] = "",
    store: Annotated[str, typer.Option(help="Only cases of this store.")] = "",
    older_than: Annotated[str, typer.Option(help="Only cases that wait longer: 30m, 2h, 3d.")] = "0s",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be retried, change nothing.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask first.")] = False,
    api: ApiUrl = None,
    token: Token = None,
    as_json: Json = False,
) -> None:
    """Retry all parked cases that fit, each in your name.

    Example: starter.py retry --system erp --error period --older-than 2h --reason "it is open again"
    """
    if not dry_run and not reason.strip():
        raise wrong_use("--reason is empty: say why they are tried again")
    if not (dry_run or yes) and (as_json or not sys.stdin.isatty()):
        raise wrong_use("nobody can be asked here: add --yes, or --dry-run to look first")
    query = {
        "system": system,
        "error": error,
        "step": step,
        "store": store,
        "older_than_seconds": seconds_of(older_than, "--older-than"),
    }
    run = _retry(Api(find_api(api, token)), query, reason, dry_run, yes, Screen(as_json=as_json))
    raise typer.Exit(asyncio.run(run))


async def _retry(client: Api, query: dict[str, Any], reason: str, dry_run: bool, yes: bool, screen: Screen) -> int:
    async with client as api:
        look = {**query, "reason": reason or "a look", "dry_run": True}
        found = good(await api.post("/v1/parked/retry", look))
        _show(found["cases"], screen)
        told = f"{_count(len(found['cases']))}, {sums(found['money']) or 'no money'} at stake"
        if dry_run or not found["cases"]:
            screen.json(found)
            screen.verdict(f"{told}; nothing was changed" if found["cases"] else "no open case fits", GOOD)
            return GOOD
        if not yes and not await asyncio.to_thread(typer.confirm, f"Retry {told}?"):
            screen.verdict("nothing was changed", ATTENTION)
            return ATTENTION
        done = await _decide(api, reason, [case["case_id"] for case in found["cases"]], screen)
    counts = Counter(case["outcome"] for case in done)
    code = GOOD if all(outcome in _TAKEN for outcome in counts) else ATTENTION
    screen.json({"dry_run": False, "cases": done, "money": found["money"], "counts": dict(counts)})
    for case in done:
        if case["outcome"] != "accepted":
            screen.say(f"  {case['case_id']}  {case['outcome']}: {case['message']}")
    screen.verdict(", ".join(f"{number} {outcome}" for outcome, number in sorted(counts.items())), code)
    return code


async def _decide(api: Api, reason: str, ids: list[str], screen: Screen) -> list[dict[str, Any]]:
    """The outcome of every case that was shown. What became open since is not touched."""
    done: list[dict[str, Any]] = []
    with Progress(screen.side, "retried", len(ids)) as progress:
        for start in range(0, len(ids), PORTION):
            portion = ids[start : start + PORTION]
            # By id alone: a case that was shown is meant, whatever its text says by now.
            try:
                answer = good(await api.post("/v1/parked/retry", {"cases": portion, "reason": reason}))
            except Trouble as trouble:
                if trouble.code == WRONG_USE:
                    raise
                lost = {"outcome": "no answer", "message": str(trouble)}
                answer = {"cases": [{"case_id": case_id, **lost} for case_id in portion]}
            done += answer["cases"]
            for _ in portion:
                progress.step()
    return done


def _show(cases: list[dict[str, Any]], screen: Screen) -> None:
    if screen.as_json or not cases:
        return
    table = Table(box=None, pad_edge=False)
    for title in ("age", "money", "case", "step", "system"):
        table.add_column(title, no_wrap=True, justify="right" if title == "money" else "left")
    table.add_column("what came back", overflow="fold")
    for case in cases:
        table.add_row(
            age(case["opened_at"]),
            money(case["amount"]),
            *(Text(case[name]) for name in ("case_id", "step", "system", "came_back")),
        )
    screen.out.print(table)


def _count(number: int) -> str:
    return f"{number} case{'s' if number != 1 else ''}"
