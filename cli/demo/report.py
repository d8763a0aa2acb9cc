"""The verdict for people and for machines."""

import json
from pathlib import Path
from typing import Any

from rich.table import Table

from cli.demo.play import Outage
from cli.demo.verdict import Verdict
from cli.screen import Screen
from cli.trouble import ATTENTION, GOOD
from commerce.money import Money

SYSTEMS = (("salesforce", "FinancialForce"), ("juston", "JustOn"), ("magento", "Magento"))


def as_document(verdict: Verdict, outage: Outage, seconds: float, seed: int) -> dict[str, Any]:
    """What stands in verdict.json. Money is in minor units."""
    return {
        "ok": verdict.ok,
        "orders": verdict.orders,
        "goods": verdict.goods,
        "duplicates": verdict.duplicates,
        "missing": verdict.missing,
        "money": verdict.money,
        "parked": verdict.parked,
        "problems": verdict.problems,
        "outage": {
            "seconds": round(outage.seconds(outage.began or 0.0), 1),
            "placed": outage.placed,
            "linked": outage.linked,
        },
        "seconds": round(seconds, 1),
        "seed": seed,
    }


def keep(document: dict[str, Any], folder: Path) -> Path:
    path = folder / "verdict.json"
    path.write_text(json.dumps(document, ensure_ascii=False, indent=1) + "\n", "utf-8")
    return path


def show(screen: Screen, verdict: Verdict, document: dict[str, Any], path: Path) -> int:
    """Print it; the exit code."""
    code = GOOD if verdict.ok else ATTENTION
    screen.json(document)
    if screen.as_json:
        return code
    screen.say("\nWhat the books of every system say", "bold")
    counts = ", ".join(f"{name.replace('_', ' ')} {count}" for name, count in verdict.orders.items())
    screen.say(f"orders: {counts}")
    goods = verdict.goods
    screen.say(
        f"goods: shipments {goods['shipments']}, of these in the shop {goods['shop_shipments']}, "
        f"parcels {goods['parcels']}"
    )
    screen.say(f"duplicates: {verdict.duplicates}   missing: {verdict.missing}")
    screen.out.print(_money(verdict))
    for case in verdict.parked:
        expected = "as planned" if case["expected"] else "NOT planned"
        screen.say(f"parked ({expected}): {case['order']}: {'; '.join(case['why'])}")
    for problem in verdict.problems:
        screen.say(problem, "bold red")
    screen.say(f"the whole verdict: {path}")
    said = "all good: one document per event in every system" if verdict.ok else "attention needed"
    screen.verdict(f"{said} ({document['seconds']} s, {len(verdict.problems)} problems)", code)
    return code


def _money(verdict: Verdict) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("currency")
    for _, title in SYSTEMS:
        table.add_column(title, no_wrap=True)
    for currency, systems in verdict.money.items():
        cells = []
        for system, _ in SYSTEMS:
            held, wanted = systems[system], systems[f"expected_{system}"]
            cells.append("\n".join(_cell(name, held[name], wanted[name], currency) for name in held))
        table.add_row(currency, *cells)
    return table


def _cell(name: str, held: int, wanted: int, currency: str) -> str:
    amount = Money(minor=held, currency=currency).decimal()
    return f"{name} {amount}" if held == wanted else f"[red]{name} {amount}, expected {wanted} minor units[/red]"
