"""The judge of a chaos run: knows what was asked, reads the systems' books, and names every difference. Pure functions.

`lost`: something was asked or accepted, and its document is missing. `doubled`: there is more than one. `unexplained`:
anything else that is not as it was asked.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cli.demo.books import Books, Document
from tests.chaos.evidence import (
    BILLING_ORDER,
    CASH,
    CHARGED_BACK,
    CLOSED,
    CREDIT,
    ENTRY,
    FOREVER,
    INVOICE,
    NAMES,
    OF_ORDERS,
    OPERATORS,
    PAYMENT,
    REFUND,
    SALES_ORDER,
    SHOP_INVOICE,
    SHOP_ORDER,
    Evidence,
    Finding,
    Kind,
    Place,
    Run,
    Wanted,
)


@dataclass
class _Case:
    """One order before the judge."""

    wanted: Wanted
    shelf: "_Shelf"
    findings: list[Finding] = field(default_factory=list)

    def say(self, kind: Kind, what: str) -> None:
        self.findings.append(Finding(kind, self.wanted.key, what))

    def of(self, place: Place, key: str | None = None) -> list[Document]:
        return self.shelf.of(place, self.wanted.key if key is None else key)

    def one(self, place: Place, amount: int, found: Sequence[Document] | None = None, what: str = "") -> None:
        """There must be exactly one document, open, over this amount."""
        found = self.of(place) if found is None else found
        name = what or NAMES[place]
        if not found:
            self.say("lost", f"{name} over {amount} {self.wanted.currency} is missing")
        if len(found) > 1:
            self.say("doubled", f"{name} exists {len(found)} times: {_named(found)}")
        for document in found:
            if (document["total_minor"], document["currency"]) != (amount, self.wanted.currency):
                self.say(
                    "unexplained",
                    f"{name} {document['number']} is over {document['total_minor']} {document['currency']}, "
                    f"asked were {amount} {self.wanted.currency}",
                )
            if _closed(document):
                self.say("unexplained", f"{name} {document['number']} is {document['status']}")

    def none_open(self, place: Place) -> None:
        """At most one document, and it is closed."""
        found = self.of(place)
        if len(found) > 1 and place != PAYMENT:
            self.say("doubled", f"{NAMES[place]} exists {len(found)} times: {_named(found)}")
        for document in found:
            if not _closed(document):
                self.say("unexplained", f"{NAMES[place]} {document['number']} is left {document['status']}")


class _Shelf:
    """The books by business key."""

    def __init__(self, books: Books) -> None:
        # The billing system opens an entry of its own for an invoice on account: it belongs to the invoice's order.
        self._invoices = {document["id"]: str(document["key"]) for document in books.of(*INVOICE)}
        self._by_key: dict[Place, dict[str, list[Document]]] = {}
        # Attempts that collected nothing, and money that was taken away again, are no payments.
        gone: dict[str, list[Document]] = defaultdict(list)
        self._gone = gone
        for place in NAMES:
            keyed: dict[str, list[Document]] = defaultdict(list)
            for document in books.of(*place):
                if place == PAYMENT and not _kept_or_refunded(document):
                    if document["refs"]["transaction"]:
                        gone[str(document["key"])].append(document)
                    continue
                keyed[self.key_of(place, document)].append(document)
            self._by_key[place] = keyed

    def key_of(self, place: Place, document: Document) -> str:
        if place == CASH:
            return str(document["refs"]["reference"])
        if place == SHOP_INVOICE:
            return str(document["refs"]["order_key"])
        if place == ENTRY:
            return self._invoices.get(document["refs"].get("invoice")) or str(document["key"])
        return str(document["key"])

    def of(self, place: Place, key: str) -> list[Document]:
        return self._by_key[place].get(key, [])

    def gone(self, key: str) -> list[Document]:
        return self._gone.get(key, [])

    def keys(self, place: Place) -> Iterable[str]:
        return self._by_key[place]


def judge(evidence: Evidence) -> list[Finding]:
    """Every difference, order by order, then what no order explains. Empty when all is as it was asked."""
    shelf = _Shelf(evidence.books)
    mails = _mails(evidence.mails)
    runs = _runs(evidence.runs)
    found: list[Finding] = []
    for wanted in evidence.wanted:
        case = _Case(wanted, shelf)
        for oddity in wanted.oddities:
            case.say("unexplained", oddity)
        _engine(case, runs.get(f"checkout:{wanted.key}", []))
        _goods(case, runs.get(f"fulfillment:{wanted.key}", []))
        if wanted.completed:
            _completed(case)
        else:
            _undone(case)
        _gone(case)
        if wanted.in_shop:
            _in_shop(case)
        _mailed(case, mails)
        found += case.findings
    found += _strangers(evidence.wanted, shelf)
    found += [
        Finding("unexplained", "", f"run {run.id} is {run.status}")
        for run in evidence.runs
        if run.status not in ("COMPLETED", "CONTINUED_AS_NEW")
        and not (run.status == "RUNNING" and run.kind in FOREVER)
        and run.id.partition(":")[2] not in {wanted.key for wanted in evidence.wanted if run.kind in OF_ORDERS}
    ]
    found += _notes(evidence)
    found += _money(evidence)
    found += [Finding("unexplained", "", oddity) for oddity in evidence.oddities]
    return found


# ---- one order -------------------------------------------------------------------------------------------------------


def _engine(case: _Case, runs: list[Run]) -> None:
    wanted = case.wanted
    if not runs:
        case.say("lost", "no run in the engine has this order")
    if len(runs) > 1:
        case.say("doubled", f"{len(runs)} runs had this order")
    for run in runs:
        if run.status != "COMPLETED":
            case.say("unexplained", f"its run is {run.status}, the order is {wanted.stage or 'not known'}")
    if runs and wanted.completed != (wanted.stage == "completed"):
        end = "completed" if wanted.completed else "undone"
        case.say("unexplained", f"it should have ended {end}, and is {wanted.stage or 'not known'}")


def _goods(case: _Case, runs: list[Run]) -> None:
    """A completed order is taken up by one run that follows its goods; no other order is."""
    if not case.wanted.completed:
        for run in runs:
            case.say("unexplained", f"{run.id} follows the goods of an order that was undone")
        return
    if not runs:
        case.say("lost", "no run follows its goods")
    if len(runs) > 1:
        case.say("doubled", f"{len(runs)} runs follow its goods")
    for run in runs:
        if run.status != "RUNNING":
            case.say("unexplained", f"{run.id} is {run.status}, and nothing was shipped")


def _completed(case: _Case) -> None:
    wanted = case.wanted
    for place in (SALES_ORDER, BILLING_ORDER, INVOICE):
        case.one(place, wanted.gross)
    for place in (REFUND, CREDIT):
        for document in case.of(place):
            case.say("unexplained", f"{NAMES[place]} {document['number']} was not asked for")
    receipts = list(wanted.captured)
    if wanted.due:
        case.one(ENTRY, wanted.due)
        payments = case.of(PAYMENT)
        taken = sum(payment["total_minor"] - payment["refunded_minor"] for payment in payments)
        if wanted.taken_back:
            if payments:
                case.say("unexplained", f"the money was taken back, and is there: {_named(payments)}")
        elif not payments:
            case.say("lost", f"payment over {wanted.due} {wanted.currency} is missing")
        elif wanted.pays is not None and len(payments) > wanted.pays:
            case.say("doubled", f"{len(payments)} payments were collected: {_named(payments)}")
        elif taken != wanted.due:
            case.say("unexplained", f"{taken} {wanted.currency} is kept, asked were {wanted.due}")
        receipts += [(_transaction(payment), payment["total_minor"]) for payment in payments]
    for transaction, amount in receipts:
        found = case.of(CASH, transaction)
        case.one(CASH, amount, found, f"cash entry of payment {transaction}")
    if wanted.on_account:
        case.one(ENTRY, wanted.total)


def _gone(case: _Case) -> None:
    """Money that was taken away again: its receipt, where there is one, is booked back once."""
    booked = 0
    for payment in case.shelf.gone(case.wanted.key):
        transaction = _transaction(payment)
        entries = case.of(CASH, transaction)
        kinds = Counter(str(entry["refs"]["type"]) for entry in entries)
        if any(times > 1 for times in kinds.values()):
            case.say("doubled", f"cash entries of payment {transaction}: {dict(kinds)}")
        elif len(kinds) == 1:
            case.say("lost", f"payment {transaction} was taken back, its cash entry is not: {dict(kinds)}")
        elif sum(entry["total_minor"] for entry in entries):
            case.say(
                "unexplained", f"cash entries of payment {transaction} do not cancel each other: {_named(entries)}"
            )
        booked += len(entries)
    if case.wanted.taken_back and not booked:
        case.say("lost", "the cash entries of the payment that was taken back are missing")


def _undone(case: _Case) -> None:
    wanted = case.wanted
    for place in (ENTRY, SALES_ORDER):
        case.none_open(place)
    payments = case.of(PAYMENT)
    if wanted.pays and wanted.due and not payments:
        case.say("lost", "the buyer's payment is missing")
    if wanted.pays == 0 and payments:
        case.say("unexplained", f"nobody paid, and there is a payment: {_named(payments)}")
    for payment in payments:
        kept = payment["total_minor"] - payment["refunded_minor"]
        if kept:
            case.say("unexplained", f"{kept} {wanted.currency} of payment {payment['number']} is kept")
    for transaction in (*(_transaction(payment) for payment in payments), *(one for one, _ in wanted.captured)):
        entries = Counter(str(entry["refs"]["type"]) for entry in case.of(CASH, transaction))
        if any(times > 1 for times in entries.values()):
            case.say("doubled", f"cash entries of payment {transaction}: {dict(entries)}")
        booked = sum(entry["total_minor"] for entry in case.of(CASH, transaction))
        if booked:
            case.say("unexplained", f"cash entries of payment {transaction} sum up to {booked} {wanted.currency}")
    invoices, credits = case.of(INVOICE), case.of(CREDIT)
    if len(invoices) > 1 or len(credits) > 1:
        case.say("doubled", f"{len(invoices)} invoices and {len(credits)} credit notes")
    invoiced = sum(one["total_minor"] for one in invoices)
    credited = sum(abs(one["total_minor"]) for one in credits)
    if invoiced != credited:
        case.say("unexplained", f"{invoiced} {wanted.currency} is invoiced, {credited} is credited")
    if not credits:  # an order that the invoice run was faster with stays billed, and its invoice is credited
        case.none_open(BILLING_ORDER)
    elif len(case.of(BILLING_ORDER)) > 1:
        case.say("doubled", f"billing order exists {len(case.of(BILLING_ORDER))} times")


def _in_shop(case: _Case) -> None:
    wanted = case.wanted
    orders = case.of(SHOP_ORDER)
    if wanted.completed:
        case.one(SHOP_ORDER, wanted.total)
        if wanted.on_account:
            case.none_open(SHOP_INVOICE)  # goods on account are invoiced in the shop when they ship
        else:
            case.one(SHOP_INVOICE, wanted.total)
    else:
        case.none_open(SHOP_ORDER)
        case.none_open(SHOP_INVOICE)
    comments = [str(text) for order in orders for text in order["refs"]["comments"] if text]
    asked = [text for text in comments if "/pay/" in text]
    if len(asked) > 1:
        case.say("doubled", f"the shop's order asks {len(asked)} times for the payment")
    if not wanted.completed:
        return
    if wanted.due and not asked:
        case.say("lost", "the shop's order does not show the payment link")
    for place, name in ((INVOICE, "invoice"), (SALES_ORDER, "sales order")):
        for document in case.of(place):
            named = re.compile(rf"\b{re.escape(str(document['number']))}\b")
            times = sum(bool(named.search(text)) for text in comments)
            if not times:
                case.say("lost", f"the shop's order does not name {name} {document['number']}")
            if times > 1:
                case.say("doubled", f"the shop's order names {name} {document['number']} {times} times")


def _mailed(case: _Case, mails: Mapping[str, set[str]]) -> None:
    """One mail at its end: under one Message-ID, however often that one was sent."""
    ids = mails.get(case.wanted.key.partition(":")[2], set())
    if not ids:
        case.say("lost", "no mail tells the buyer how it ended")
    if len(ids) > 1:
        case.say("doubled", f"{len(ids)} different mails tell the buyer how it ended")


# ---- everything else -------------------------------------------------------------------------------------------------


def _strangers(wanted: Sequence[Wanted], shelf: _Shelf) -> list[Finding]:
    """Documents that no order explains."""
    keys = {one.key for one in wanted}
    transactions = {transaction for one in wanted for transaction, _ in one.captured}
    transactions |= {_transaction(payment) for key in keys for payment in (*shelf.of(PAYMENT, key), *shelf.gone(key))}
    return [
        Finding("unexplained", key, f"{NAMES[place]} {_named(shelf.of(place, key))} belongs to no order that was asked")
        for place in NAMES
        for key in shelf.keys(place)
        if key not in (transactions if place == CASH else keys)
    ]


def _notes(evidence: Evidence) -> list[Finding]:
    found: list[Finding] = []
    wanted = {f"unreadable:{digest}" for digest in evidence.unreadable}
    quarantined = {one.sender_id: one for one in evidence.kept if one.state == "quarantined"}
    for sender_id in sorted(wanted - set(quarantined)):
        found.append(Finding("lost", "", f"notification {sender_id} was acknowledged and is not in quarantine"))
    for sender_id, one in quarantined.items():
        if sender_id not in wanted:
            found.append(Finding("unexplained", "", f"notification {sender_id} is in quarantine: {one.reason}"))
        elif not one.reason:
            found.append(Finding("unexplained", "", f"notification {sender_id} is in quarantine without a reason"))
    waiting = [one.sender_id for one in evidence.kept if one.state == "waiting"]
    if waiting:
        found.append(Finding("unexplained", "", f"{len(waiting)} notifications wait still: {', '.join(waiting[:5])}"))
    return found


def _money(evidence: Evidence) -> list[Finding]:
    """Per currency, what each system holds beside what was asked: a check of the whole, apart from the orders' keys."""
    found = []
    for currency, (held, asked) in money(evidence).items():
        for name, amount in asked.items():
            if held[name] != amount:
                what = f"{name} sum up to {held[name]} {currency}, asked were {amount}"
                found.append(Finding("unexplained", "", what))
    return found


def money(evidence: Evidence) -> dict[str, tuple[dict[str, int], dict[str, int]]]:
    """By currency: held and asked, in minor units."""
    books = evidence.books
    result = {}
    for currency in sorted({one.currency for one in evidence.wanted}):
        done = [one for one in evidence.wanted if one.currency == currency and one.completed]

        def rows_of(place: Place, currency: str = currency) -> list[Document]:
            return [row for row in books.of(*place) if row["currency"] == currency]

        def held(place: Place) -> int:
            rows = [row for row in rows_of(place) if not _closed(row)]
            if place == PAYMENT:
                rows = [row for row in rows if _kept_or_refunded(row)]
            return sum(row["total_minor"] - row.get("refunded_minor", 0) for row in rows)

        gross, due = sum(one.gross for one in done), sum(one.due for one in done if not one.taken_back)
        paid = due + sum(amount for one in done for _, amount in one.captured)
        shop = sum(one.total for one in done if one.in_shop and not one.on_account)
        names = {SALES_ORDER: gross, BILLING_ORDER: gross, PAYMENT: due, CASH: paid, SHOP_INVOICE: shop}
        now = {NAMES[place]: held(place) for place in names}
        credits = rows_of(CREDIT)
        billed = {row["key"] for row in rows_of(BILLING_ORDER) if not _closed(row)}
        # One that was billed and not withdrawn stays so; the credit note cancels it.
        now[NAMES[BILLING_ORDER]] -= sum(abs(row["total_minor"]) for row in credits if row["key"] in billed)
        now[NAMES[INVOICE]] = sum(row["total_minor"] for row in rows_of(INVOICE))
        now[NAMES[INVOICE]] -= sum(abs(row["total_minor"]) for row in credits)
        result[currency] = (now, {NAMES[place]: amount for place, amount in names.items()} | {NAMES[INVOICE]: gross})
    return result


def _kept_or_refunded(payment: Document) -> bool:
    return bool(payment["total_minor"]) and payment["status"] != CHARGED_BACK


def _mails(mails: Sequence[Mapping[str, Any]]) -> dict[str, set[str]]:
    """Message-IDs of what buyers got, by every word of the subject; one of them is the order's number."""
    found: dict[str, set[str]] = defaultdict(set)
    for mail in mails:
        if OPERATORS not in mail["to"]:
            for word in set(str(mail["subject"]).split()):
                found[word].add(str(mail["headers"].get("Message-ID")))
    return found


def _runs(runs: Sequence[Run]) -> dict[str, list[Run]]:
    found: dict[str, list[Run]] = defaultdict(list)
    for run in runs:
        found[run.id].append(run)
    return found


def _named(documents: Iterable[Document]) -> str:
    return ", ".join(str(document["number"]) for document in documents)


def _transaction(payment: Document) -> str:
    return str(payment["refs"]["transaction"])


def _closed(document: Document) -> bool:
    return any(part in CLOSED for part in str(document["status"]).lower().split("/"))
