"""`quarantine` and `release`: what could not be read or passed on, why, and reading it again."""

import asyncio
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
from cli.words import age

_TAKEN = ("passed on", "dropped", "released meanwhile")


def quarantine(api: ApiUrl = None, token: Token = None, as_json: Json = False) -> None:
    """List what could not be read or passed on, and why.

    Example: starter.py quarantine
    """
    raise typer.Exit(asyncio.run(_quarantine(Api(find_api(api, token)), Screen(as_json=as_json))))


def release(
    reason: Annotated[str, typer.Option(help="Why; kept with it.")],
    item: Annotated[
        int | None, typer.Argument(metavar="[ID]", help="As `starter.py quarantine` shows it.", show_default=False)
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="All of them, one after the other.")] = False,
    drop: Annotated[bool, typer.Option("--drop", help="Do not read it again: it was settled by hand.")] = False,
    api: ApiUrl = None,
    token: Token = None,
    as_json: Json = False,
) -> None:
    """Read something quarantined again: it joins its run, or stays with the new reason.

    Example: starter.py release 17 --reason "the store is configured"
    """
    if not reason.strip():
        raise wrong_use("--reason is empty: say what was mended")
    if (item is None) != everything:
        raise wrong_use("name one by its ID, or all with --all")
    body = {"reason": reason, "drop": drop}
    raise typer.Exit(asyncio.run(_release(Api(find_api(api, token)), item, body, Screen(as_json=as_json))))


async def _quarantine(client: Api, screen: Screen) -> int:
    async with client as api:
        rows = (await api.need("/v1/quarantine"))["notifications"]
    screen.json({"notifications": rows})
    if not rows:
        screen.verdict("nothing is quarantined", GOOD)
        return GOOD
    if not screen.as_json:
        table = Table(box=None, pad_edge=False)
        for title in ("age", "id", "system", "what"):
            table.add_column(title, no_wrap=True, justify="right" if title == "id" else "left")
        table.add_column("why", overflow="fold")
        for row in rows:
            before = "".join(f"\nreleased by {one['by']}: {one['reason']}" for one in row["releases"])
            what = Text(row["reference"] or "unreadable")
            table.add_row(age(row["received_at"]), str(row["id"]), row["system"], what, Text(row["reason"] + before))
        screen.out.print(table)
    screen.verdict(f"{len(rows)} in quarantine; no run was started or told of them", ATTENTION)
    screen.say('  starter.py release ID --reason "…"')
    return ATTENTION


async def _release(client: Api, item: int | None, body: dict[str, Any], screen: Screen) -> int:
    async with client as api:
        if item is not None:
            done = [good(await api.post(f"/v1/quarantine/{item}/release", body))]
        else:
            done = await _release_all(api, body, screen)
    counts = Counter(one["outcome"] for one in done)
    code = GOOD if all(outcome in _TAKEN for outcome in counts) else ATTENTION
    screen.json({"released": done, "counts": dict(counts)})
    for one in done:
        screen.say(f"  {one['id']}  {one['reference'] or 'unreadable'}  {one['outcome']}: {one['message']}")
    said = ", ".join(f"{number} {outcome}" for outcome, number in sorted(counts.items()))
    screen.verdict(said or "nothing is quarantined", code)
    return code


async def _release_all(api: Api, body: dict[str, Any], screen: Screen) -> list[dict[str, Any]]:
    """Each on its own, oldest first, until the list that was there at the beginning is through."""
    rows = (await api.need("/v1/quarantine"))["notifications"]
    done: list[dict[str, Any]] = []
    with Progress(screen.side, "released", len(rows)) as progress:
        for row in reversed(rows):
            try:
                done.append(good(await api.post(f"/v1/quarantine/{row['id']}/release", body)))
            except Trouble as trouble:
                if trouble.code == WRONG_USE:
                    raise
                gone = "is not in quarantine any more" in str(trouble)
                outcome = "released meanwhile" if gone else "no answer"
                done.append(
                    {"id": row["id"], "reference": row["reference"], "outcome": outcome, "message": str(trouble)}
                )
            progress.step()
    return done
