"""The judge finds what is lost, what is doubled and what nobody explains; books that are as asked pass."""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest

from cli.demo.books import Books
from tests.chaos.evidence import Evidence, Finding, Kept, Run, Wanted
from tests.chaos.judge import judge

KEY, CANCELLED = "de:1001", "de:1002"
Lists = dict[tuple[str, str], list[dict[str, Any]]]


def _row(number: str, amount: int, *, key: str = KEY, status: str = "Open", **refs: Any) -> dict[str, Any]:
    row = {"id": number, "number": number, "key": key, "currency": "EUR", "total_minor": amount, "status": status}
    return row | {"refs": refs}


def _payment(number: str, key: str, refunded: int) -> dict[str, Any]:
    return _row(number, 9900, key=key, status="Collected", transaction=f"tx-{number}") | {"refunded_minor": refunded}


def _lists() -> Lists:
    """One order that is completed and one that was cancelled after its payment."""
    return {
        ("juston", "entries"): [
            _row("E1", 9900, status="Balanced"),
            _row("E2", 9900, key=CANCELLED, status="Canceled"),
        ],
        ("juston", "payments"): [_payment("P1", KEY, 0), _payment("P2", CANCELLED, 9900)],
        ("juston", "refunds"): [_row("R2", 9900, key=CANCELLED, status="Paid out")],
        ("juston", "orders"): [_row("W1", 9900, status="Billed"), _row("W2", 9900, key=CANCELLED, status="Canceled")],
        ("juston", "invoices"): [_row("RE-1", 9900, status="Paid")],
        ("juston", "credit_notes"): [],
        ("salesforce", "orders"): [_row("SO1", 9900), _row("SO2", 9900, key=CANCELLED, status="Cancelled")],
        ("salesforce", "payments"): [
            _row("C1", 9900, status="Complete", type="Receipt", reference="tx-P1"),
            _row("C2", 9900, status="Complete", type="Receipt", reference="tx-P2"),
            _row("C3", -9900, status="Complete", type="Refund", reference="tx-P2"),
        ],
        ("magento", "orders"): [
            _row("1001", 9900, comments=["Please pay at http://x/pay/1/to/n", "ERP order SO1, invoice RE-1"])
        ],
        ("magento", "invoices"): [_row("I1", 9900, status="2", order_key=KEY)],
    }


def _mail(number: str, message_id: str) -> dict[str, Any]:
    return {"to": ["kim@buyer.example"], "subject": f"Your order {number}", "headers": {"Message-ID": message_id}}


def _evidence(lists: Lists | None = None) -> Evidence:
    def wanted(key: str, *, completed: bool, stage: str, in_shop: bool = False) -> Wanted:
        return Wanted(key, "EUR", 9900, 9900, completed=completed, due=9900, pays=1, in_shop=in_shop, stage=stage)

    books = Books({place: tuple(rows) for place, rows in (lists or _lists()).items()})
    return Evidence(
        wanted=(
            wanted(KEY, completed=True, stage="completed", in_shop=True),
            wanted(CANCELLED, completed=False, stage="cancelled"),
        ),
        books=books,
        mails=(_mail("1001", "<a>"), _mail("1001", "<a>"), _mail("1002", "<b>")),
        runs=(
            Run(f"checkout:{KEY}", "CheckoutPaymentInvoice", "COMPLETED"),
            Run(f"checkout:{CANCELLED}", "CheckoutPaymentInvoice", "COMPLETED"),
            Run(f"fulfillment:{KEY}", "OrderFulfillmentTracking", "RUNNING"),
            Run("feed:juston:entries", "ChangeFeed", "RUNNING"),
        ),
        kept=(Kept("n1", "done", ""), Kept("unreadable:ab", "quarantined", "the body is not JSON")),
        unreadable=("ab",),
    )


def _kinds(findings: list[Finding]) -> set[str]:
    return {finding.kind for finding in findings}


def test_books_that_are_as_asked_have_no_findings() -> None:
    assert judge(_evidence()) == []


@pytest.mark.parametrize("place", [p for p, rows in _lists().items() if rows and p != ("juston", "refunds")], ids=str)
def test_a_document_that_is_missing_is_lost(place: tuple[str, str]) -> None:
    lists = _lists()
    lists[place].pop(0)
    found = judge(_evidence(lists))
    assert "lost" in _kinds(found)
    assert {finding.order for finding in found if finding.kind == "lost"} == {KEY}


@pytest.mark.parametrize("place", [p for p, rows in _lists().items() if rows and p != ("juston", "refunds")], ids=str)
def test_a_second_document_for_one_event_is_doubled(place: tuple[str, str]) -> None:
    lists = _lists()
    second = deepcopy(lists[place][0]) | {"id": "second", "number": "second"}
    lists[place].append(second)
    assert "doubled" in _kinds(judge(_evidence(lists)))


@pytest.mark.parametrize("place", [p for p, rows in _lists().items() if rows and p != ("juston", "refunds")], ids=str)
def test_one_minor_unit_more_is_seen(place: tuple[str, str]) -> None:
    lists = _lists()
    lists[place][0]["total_minor"] += 1
    assert "unexplained" in _kinds(judge(_evidence(lists)))


@pytest.mark.parametrize(
    ("place", "change"),
    [
        (("juston", "payments"), {"refunded_minor": 9000}),
        (("salesforce", "orders"), {"status": "New"}),
        (("juston", "entries"), {"status": "Open"}),
        (("juston", "orders"), {"status": "Billed"}),
    ],
    ids=str,
)
def test_what_a_cancelled_order_leaves_behind_is_seen(place: tuple[str, str], change: dict[str, Any]) -> None:
    lists = _lists()
    lists[place][1] |= change
    found = [finding for finding in judge(_evidence(lists)) if finding.order]  # the rest is the check of the whole
    assert {(finding.kind, finding.order) for finding in found} == {("unexplained", CANCELLED)}


def test_a_refund_that_is_booked_twice_is_doubled() -> None:
    lists = _lists()
    lists[("salesforce", "payments")].append(deepcopy(lists[("salesforce", "payments")][2]) | {"id": "C4"})
    assert "doubled" in _kinds(judge(_evidence(lists)))


TAKEN_BACK = [
    ({"status": "Charged back"}, [("C1", 9900, "Receipt"), ("C9", -9900, "Refund")], set()),
    ({"status": "Failed", "total_minor": 0}, [("C1", 9900, "Receipt"), ("C9", -9900, "Refund")], set()),
    ({"status": "Charged back"}, [("C1", 9900, "Receipt")], {"lost", "unexplained"}),
    ({"status": "Charged back"}, [], {"lost"}),
    (
        {"status": "Charged back"},
        [("C1", 9900, "Receipt"), ("C9", -9900, "Refund"), ("C10", -9900, "Refund")],
        {"doubled", "unexplained"},
    ),
    ({"status": "Charged back"}, [("C1", 9900, "Receipt"), ("C9", -9800, "Refund")], {"unexplained"}),
    ({}, [("C1", 9900, "Receipt")], {"lost", "unexplained"}),
]


@pytest.mark.parametrize(("payment", "cash", "kinds"), TAKEN_BACK, ids=range(len(TAKEN_BACK)))
def test_money_that_is_taken_back_is_booked_back_once(
    payment: dict[str, Any], cash: list[tuple[str, int, str]], kinds: set[str]
) -> None:
    lists = _lists()
    lists[("juston", "payments")][0] |= payment
    booked = [_row(name, amount, status="Complete", type=type, reference="tx-P1") for name, amount, type in cash]
    lists[("salesforce", "payments")][0:1] = booked
    evidence = _evidence(lists)
    taken_back = replace(evidence.wanted[0], taken_back=True)
    assert _kinds(judge(replace(evidence, wanted=(taken_back, evidence.wanted[1])))) == kinds


def test_an_order_that_was_billed_before_its_cancellation_is_credited_and_needs_no_word() -> None:
    lists = _lists()
    lists["juston", "orders"][1]["status"] = "Billed"
    lists["juston", "invoices"].append(_row("RE-2", 9900, key=CANCELLED, status="Canceled"))
    assert [found.order for found in judge(_evidence(lists))] == [CANCELLED, CANCELLED, "", ""]
    lists["juston", "credit_notes"].append(_row("RE-3", -9900, key=CANCELLED, status="Settled"))
    assert judge(_evidence(lists)) == []
    lists["juston", "orders"][1]["status"] = "Canceled"
    assert judge(_evidence(lists)) == []
    lists["juston", "credit_notes"][0]["total_minor"] = -9899
    assert {found.kind for found in judge(_evidence(lists))} == {"unexplained"}


def test_a_document_of_nobody_is_unexplained() -> None:
    lists = _lists()
    lists[("salesforce", "orders")].append(_row("SO9", 0, key="de:9999", status="Cancelled"))
    [finding] = judge(_evidence(lists))
    assert (finding.kind, finding.order) == ("unexplained", "de:9999")


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        (lambda e: replace(e, mails=e.mails[:2]), "lost"),
        (lambda e: replace(e, mails=(*e.mails, _mail("1002", "<c>"))), "doubled"),
        (lambda e: replace(e, runs=e.runs[1:]), "lost"),
        (lambda e: replace(e, runs=(*e.runs, e.runs[0])), "doubled"),
        (lambda e: replace(e, runs=(*e.runs[1:], replace(e.runs[0], status="RUNNING"))), "unexplained"),
        (lambda e: replace(e, runs=(*e.runs[:2], *e.runs[3:])), "lost"),
        (lambda e: replace(e, runs=(*e.runs, e.runs[2])), "doubled"),
        (lambda e: replace(e, runs=(*e.runs[:2], replace(e.runs[2], status="FAILED"))), "unexplained"),
        (lambda e: replace(e, runs=(*e.runs, replace(e.runs[2], id=f"fulfillment:{CANCELLED}"))), "unexplained"),
        (lambda e: replace(e, runs=(*e.runs, Run("late-payment:x", "LatePayment", "FAILED"))), "unexplained"),
        (lambda e: replace(e, kept=e.kept[:1]), "lost"),
        (lambda e: replace(e, kept=(*e.kept, Kept("n2", "waiting", ""))), "unexplained"),
        (lambda e: replace(e, kept=(e.kept[0], replace(e.kept[1], reason=""))), "unexplained"),
        (lambda e: replace(e, unreadable=()), "unexplained"),
        (lambda e: replace(e, oddities=("POST /v1/checkouts answered 500",)), "unexplained"),
        (lambda e: replace(e, wanted=(replace(e.wanted[0], stage="cancelled"), e.wanted[1])), "unexplained"),
    ],
)
def test_what_stands_in_no_book_is_judged_too(change: Callable[[Evidence], Evidence], kind: str) -> None:
    found = judge(change(_evidence()))
    assert _kinds(found) == {kind}
