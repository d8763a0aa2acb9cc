"""The verdict: what every system's books must hold for each order, and everything that is otherwise. Pure functions.

Each business event has exactly one document. A second one under a key is a duplicate, none is missing, another amount
is wrong, and a document that no order of ours explains is a stranger; each of them is named, and none is forgiven.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cli.demo.books import Books
from cli.demo.expected import Expected
from cli.demo.finding import WHERE, Finding, Shelf, closed, transaction
from cli.demo.orders import Fate
from cli.demo.shipped import PARCELS, SHIPMENTS, SHOP_SHIPMENTS, delivered, nothing_sent, shipped

COUNTED = ("placed", "paid", "booked", "invoiced", "written_back", "shipped", "delivered", "parked", "cancelled")


@dataclass
class Verdict:
    """`problems` is empty when all is good. `money`: minor units by currency, system and list.

    `goods`: how many shipments left the house, how many the shop has, and how many parcels the carrier.
    """

    orders: dict[str, int]
    goods: dict[str, int]
    duplicates: int
    missing: int
    money: dict[str, dict[str, dict[str, int]]]
    parked: list[dict[str, Any]]
    problems: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        return not self.problems


def judge(
    expected: Sequence[Expected],
    books: Books,
    parked: Mapping[str, Sequence[str]],
    goods: Mapping[str, Mapping[str, Any]],
) -> Verdict:
    """By order key, `parked`: why it waits for a person, and `goods`: where they are, as Holdfast shows them."""
    shelf, finding = Shelf(books), Finding()
    counts = dict.fromkeys(COUNTED, 0)
    counts["placed"], counts["parked"] = len(expected), len(parked)
    for order in expected:
        if order.fate is Fate.COMPLETED:
            _completed(order, shelf, finding, counts)
            counts["shipped"] += shipped(order, shelf, finding)
            counts["delivered"] += delivered(order, shelf, finding, goods.get(order.key, {}))
        elif order.fate is Fate.PARKED:
            _untouched(order, shelf, finding)
            if order.key not in parked:
                finding.problems.append(f"not parked: {order.key} ({order.title}) should wait for a person")
        else:
            counts["cancelled"] += _undone(order, shelf, finding)
        if order.fate is not Fate.COMPLETED:
            nothing_sent(order, shelf, finding)
        if order.in_shop:
            _in_shop(order, shelf, finding)
    _strangers(expected, shelf, finding)
    wanted = {order.key for order in expected if order.fate is Fate.PARKED}
    for key, reasons in parked.items():
        if key not in wanted:
            finding.problems.append(f"parked: {key} waits for a person: {'; '.join(reasons)}")
    money = _money(expected, books)
    for currency, systems in money.items():
        for system in ("salesforce", "juston", "magento"):
            if systems[system] != systems[f"expected_{system}"]:
                finding.problems.append(
                    f"money: {system} holds {systems[system]} {currency}, expected {systems[f'expected_{system}']}"
                )
    named = [{"order": key, "expected": key in wanted, "why": list(reasons)} for key, reasons in parked.items()]
    sent = {
        "shipments": len(books.of(*SHIPMENTS)),
        "shop_shipments": len(books.of(*SHOP_SHIPMENTS)),
        "parcels": len(books.of(*PARCELS)),
    }
    return Verdict(counts, sent, finding.duplicates, finding.missing, money, named, finding.problems)


def _completed(order: Expected, shelf: Shelf, finding: Finding, counts: dict[str, int]) -> None:
    key, currency = order.key, order.currency

    def one(place: tuple[str, str], amount: int, of: str = key) -> bool:
        return finding.one(place, of, shelf.of(place, of), amount, currency)

    counts["booked"] += one(("salesforce", "orders"), order.gross)
    one(("juston", "orders"), order.gross)
    invoiced = one(("juston", "invoices"), order.gross)
    counts["invoiced"] += invoiced
    receipts = list(order.captured)
    if order.due:
        one(("juston", "entries"), order.due)
        one(("juston", "payments"), order.due)
        receipts += [(transaction(payment), order.due) for payment in shelf.of(("juston", "payments"), key)[:1]]
    paid = [one(("salesforce", "payments"), amount, transaction) for transaction, amount in receipts]
    counts["paid"] += bool(paid) and all(paid)
    if order.on_account:
        one(("juston", "entries"), order.total)
    if order.in_shop:
        told = order.on_account or one(("magento", "invoices"), order.total)
        numbers = [str(invoice["number"]) for invoice in shelf.of(("juston", "invoices"), key)]
        shop = shelf.of(("magento", "orders"), key)
        notes = [str(note) for row in shop for note in row["refs"]["comments"] if note]
        named = any(number in note for number in numbers for note in notes)
        counts["written_back"] += told and named
        if invoiced and not named:
            finding.problems.append(f"missing: the shop's order {key} does not name invoice {', '.join(numbers)}")


def _untouched(order: Expected, shelf: Shelf, finding: Finding) -> None:
    """A parked order has no documents but perhaps its payment entry."""
    for place in WHERE:
        if place not in (("juston", "entries"), ("magento", "orders"), SHIPMENTS, SHOP_SHIPMENTS, PARCELS):
            finding.none_open(place, order.key, shelf.of(place, order.key))


def _undone(order: Expected, shelf: Shelf, finding: Finding) -> bool:
    """No open document, and all money back. Whether it is so."""
    before = len(finding.problems)
    key = order.key
    payments = shelf.of(("juston", "payments"), key)
    for place in (("salesforce", "orders"), ("juston", "entries"), ("juston", "orders"), ("magento", "invoices")):
        finding.none_open(place, key, shelf.of(place, key))
    if not shelf.of(("juston", "entries"), key):
        finding.missing += 1
        finding.problems.append(f"missing: payment entry in JustOn for {key}, to be cancelled")
    if order.fate is Fate.REFUNDED and not payments:
        finding.missing += 1
        finding.problems.append(f"missing: payment in JustOn for {key}, to be refunded")
    for payment in payments:
        kept = payment["total_minor"] - payment["refunded_minor"]
        if kept:
            finding.problems.append(f"kept: {kept} {order.currency} (minor units) of cancelled order {key}")
        paid = transaction(payment)
        booked = sum(entry["total_minor"] for entry in shelf.of(("salesforce", "payments"), paid))
        if booked:
            finding.problems.append(f"kept: cash entries of cancelled order {key} sum up to {booked} {order.currency}")
    invoiced = sum(invoice["total_minor"] for invoice in shelf.of(("juston", "invoices"), key) if not closed(invoice))
    credited = sum(abs(note["total_minor"]) for note in shelf.of(("juston", "credit_notes"), key))
    if invoiced != credited:
        finding.problems.append(f"left open: cancelled order {key} is invoiced over {invoiced}, credited {credited}")
    return len(finding.problems) == before


def _in_shop(order: Expected, shelf: Shelf, finding: Finding) -> None:
    rows = shelf.of(("magento", "orders"), order.key)
    if order.fate in (Fate.CANCELLED, Fate.REFUNDED):
        finding.none_open(("magento", "orders"), order.key, rows)
    else:
        finding.one(("magento", "orders"), order.key, rows, order.total, order.currency)


def _strangers(expected: Sequence[Expected], shelf: Shelf, finding: Finding) -> None:
    keys = {order.key for order in expected}
    transactions = {transaction for order in expected for transaction, _ in order.captured}
    transactions |= {transaction(p) for key in keys for p in shelf.of(("juston", "payments"), key)}
    for place, name in WHERE.items():
        known = transactions if place == ("salesforce", "payments") else keys
        for document in shelf.strangers(place, known):
            over = f" over {document['total_minor']} {document['currency']}" if "total_minor" in document else ""
            finding.problems.append(
                f"stranger: {name} {document['number']}{over} belongs to no order ({shelf.key_of(place, document)})"
            )


def _money(expected: Sequence[Expected], books: Books) -> dict[str, dict[str, dict[str, int]]]:
    """By currency: what each system holds, beside what the orders say. Parked and cancelled orders count nothing."""
    result: dict[str, dict[str, dict[str, int]]] = {}
    done = [order for order in expected if order.fate is Fate.COMPLETED]
    waiting = {order.key for order in expected if order.fate is Fate.PARKED}
    for currency in sorted({order.currency for order in expected}):
        mine = [order for order in done if order.currency == currency]
        gross = sum(order.gross for order in mine)
        by_link = sum(order.due for order in mine)
        shop = [order for order in mine if order.in_shop]

        def held(system: str, name: str, currency: str = currency) -> int:
            rows = (d for d in books.of(system, name) if d["currency"] == currency and not closed(d))
            return sum(d["total_minor"] - d.get("refunded_minor", 0) for d in rows if str(d["key"]) not in waiting)

        result[currency] = {
            "expected_salesforce": {
                "orders": gross,
                "payments": by_link + sum(amount for order in mine for _, amount in order.captured),
            },
            "salesforce": {"orders": held("salesforce", "orders"), "payments": held("salesforce", "payments")},
            "expected_juston": {"orders": gross, "payments": by_link, "invoices": gross},
            "juston": {
                "orders": held("juston", "orders"),
                "payments": held("juston", "payments"),
                "invoices": held("juston", "invoices") - abs(held("juston", "credit_notes")),
            },
            "expected_magento": {
                "orders": sum(order.total for order in shop),
                "invoices": sum(order.total for order in shop),
            },
            "magento": {"orders": held("magento", "orders"), "invoices": held("magento", "invoices")},
        }
    return result
