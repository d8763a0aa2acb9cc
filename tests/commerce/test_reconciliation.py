"""Comparing both sides of a pair: what is a difference, and what is none."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commerce.money import Money
from commerce.reconciliation import PAIRS, DifferenceKind, compare
from commerce.reconciliation_report import Totals, ages, bucket_of, verdict
from commerce.statements import Statement, StatementKind, StatementState
from tests.commerce.statements import (
    AT,
    KEY,
    MISSING,
    WHOLE,
    K,
    S,
    found,
    invoiced,
    piece,
    statement,
    without,
)


def test_an_order_that_is_whole_everywhere_is_in_step() -> None:
    assert found(*WHOLE) == []


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        (K.SHOP_ORDER, ["orders: missing in shop 99.84 EUR"]),
        (K.SALES_ORDER, ["orders: missing in ERP 99.84 EUR", "billing: missing in ERP 99.84 EUR"]),
        (K.PAYMENT, ["payments: missing in payments 99.84 EUR"]),
        (K.RECEIPT, ["payments: missing in ERP cash 99.84 EUR"]),
        (K.BILLING_ORDER, ["billing: missing in billing 99.84 EUR", "invoices: missing in billing 99.84 EUR"]),
        (K.INVOICE, ["invoices: missing in invoices 99.84 EUR", "shop-invoices: missing in invoices 99.84 EUR"]),
        (K.SHOP_INVOICE, ["shop-invoices: missing in shop 99.84 EUR"]),
        (K.ENTRY, ["entries: missing in payment entries 99.84 EUR"]),
        (K.SETTLEMENT, ["entries: missing in invoices 99.84 EUR"]),
        (K.SHIPMENT, ["shipments: missing in ERP shipments 99.84 EUR"]),
        (K.SHOP_SHIPMENT, ["shipments: missing in shop shipments 99.84 EUR"]),
    ],
)
def test_a_document_that_is_missing_is_named_with_its_side(kind: StatementKind, told: list[str]) -> None:
    assert found(*without(kind)) == told


@pytest.mark.parametrize("kind", [one.kind for one in WHOLE])
def test_a_document_that_is_there_twice_is_doubled_also_when_its_opposite_is(kind: StatementKind) -> None:
    [one] = [each for each in WHOLE if each.kind is kind]
    twin = one.model_copy(update={"id": "twin", "created_at": AT + timedelta(hours=1)})
    assert found(*WHOLE, twin)
    assert all(": doubled in " in line and line.endswith(" 99.84 EUR") for line in found(*WHOLE, twin))
    twins = [each.model_copy(update={"id": "twin"}) for each in WHOLE]
    assert {line.partition(": ")[2].partition(" in ")[0] for line in found(*WHOLE, *twins)} == {"doubled"}


@pytest.mark.parametrize("kind", [one.kind for one in WHOLE])
def test_another_amount_is_a_difference_over_what_it_is_off(kind: StatementKind) -> None:
    changed = [
        one.model_copy(update={"amount": Money(minor=9884, currency="EUR")}) if one.kind is kind else one
        for one in WHOLE
    ]
    assert found(*changed)
    assert all(line.endswith("amount differs 1.00 EUR") for line in found(*changed))


def test_the_same_number_in_another_currency_is_another_amount() -> None:
    sales = statement(K.SALES_ORDER, amount=Money(minor=9984, currency="USD"))
    assert found(statement(K.SHOP_ORDER), sales, statement(K.BILLING_ORDER, amount=sales.amount), *invoiced("USD")) == [
        "orders: amount differs 99.84 EUR",
    ]


@pytest.mark.parametrize(
    ("left", "right", "told"),
    [
        (S.CANCELED, S.LIVE, ["orders: status differs 99.84 EUR"]),
        (S.LIVE, S.CANCELED, ["orders: status differs 99.84 EUR"]),
        (S.LIVE, S.PENDING, ["orders: status differs 99.84 EUR"]),
        (S.CANCELED, S.CANCELED, []),
        (S.CANCELED, None, []),
        (S.PENDING, None, []),
        (None, S.CANCELED, []),
        (S.PENDING, S.CANCELED, []),
    ],
)
def test_what_is_canceled_or_not_due_on_both_sides_is_no_difference(
    left: StatementState | None, right: StatementState | None, told: list[str]
) -> None:
    both = [(K.SHOP_ORDER, left), (K.SALES_ORDER, right)]
    assert [line for line in found(*(statement(k, state=s) for k, s in both if s)) if line.startswith("orders")] == told


def test_payments_of_one_order_are_told_apart_by_their_transaction() -> None:
    paid = [statement(K.PAYMENT, 5000, item=item, id=item) for item in ("tx-1", "tx-2")]
    assert found(*paid, statement(K.RECEIPT, 5000, item="tx-1")) == ["payments: missing in ERP cash 50.00 EUR"]


def test_money_that_came_and_went_before_it_was_booked_is_no_difference() -> None:
    came, went = statement(K.PAYMENT, item="tx-1"), statement(K.REFUND, item="tx-1")
    assert found(came, went) == []
    assert found(came, went, statement(K.RECEIPT, item="tx-1")) == ["refunds: missing in ERP cash 99.84 EUR"]
    assert found(came, statement(K.REFUND, 4000, item="tx-1")) == [
        "payments: missing in ERP cash 99.84 EUR",
        "refunds: missing in ERP cash 40.00 EUR",
    ]


def test_parts_that_add_up_are_legal_where_a_system_makes_parts() -> None:
    parts = [statement(K.SHOP_INVOICE, minor, id=str(minor)) for minor in (5000, 4984)]
    assert found(*without(K.SHOP_INVOICE), *parts) == []
    assert found(*without(K.SHOP_INVOICE), parts[0]) == ["shop-invoices: amount differs 49.84 EUR"]


def test_what_was_made_by_hand_counts_beside_ours_and_not_alone() -> None:
    by_hand = statement(K.SALES_ORDER, id="by hand", keyed=False)
    assert found(by_hand) == []
    assert found(*WHOLE, by_hand) == ["orders: doubled in ERP 99.84 EUR", "billing: doubled in ERP 99.84 EUR"]


def test_the_shop_invoices_what_lives_in_it_and_is_paid_in_advance_only() -> None:
    rest = without(K.SHOP_ORDER, K.SHOP_INVOICE)
    assert found(*rest, statement(K.SHOP_ORDER, system="portal")) == []
    assert found(*rest, statement(K.SHOP_ORDER, on_account=True)) == []


# ---- totals ----------------------------------------------------------------------------------------------------------

NOW = AT + timedelta(hours=2)


def test_the_verdict_names_number_money_and_age() -> None:
    rows = Totals().rows(PAIRS)
    assert verdict(0, rows, [], {}, NOW) == "in step: nothing changed"
    assert verdict(0, rows, [MISSING], {"parked": 2}, NOW) == (
        "1 difference (1 missing in ERP 99.84 EUR), oldest 2 h; also 2 parked"
    )
    totals = Totals()
    for compared in compare(KEY, WHOLE):
        totals.add(compared)
    assert verdict(1, totals.rows(PAIRS), [], {"in progress": 1}, NOW) == (
        "in step: 1 order, 99.84 EUR on both sides; 1 in progress"
    )


@pytest.mark.parametrize(
    ("age", "bucket"),
    [
        (timedelta(minutes=59), "< 1 h"),
        (timedelta(hours=1), "< 1 d"),
        (timedelta(days=1), "< 7 d"),
        (timedelta(days=7), "older"),
    ],
)
def test_every_age_has_one_bucket(age: timedelta, bucket: str) -> None:
    assert bucket_of(NOW - age, NOW) == bucket
    assert sum(one.differences for one in ages([MISSING], NOW)) == 1


statements = st.builds(
    statement,
    st.sampled_from(list(K)),
    st.integers(1, 3),
    st.sampled_from(list(S)),
    id=st.uuids().map(str),
    item=st.sampled_from(["", "tx-1"]),
    on_account=st.booleans(),
    system=st.sampled_from(["portal", "magento"]),
)


@given(st.lists(statements, max_size=12))
def test_where_nothing_differs_both_sides_hold_the_same_money(made: list[Statement]) -> None:
    for compared in compare(KEY, made):
        left, right = (sum(one.amount.minor for one in side) for side in (compared.left, compared.right))
        assert compared.differences or left == right
        for one in compared.differences:
            assert one.kind is not DifferenceKind.MISSING or not (one.left and one.right)
            assert one.amount.minor > 0


@given(st.lists(statements, max_size=12), st.randoms())
def test_the_order_in_which_documents_are_read_changes_nothing(made: list[Statement], random: Any) -> None:
    shuffled = list(made)
    random.shuffle(shuffled)

    def told(of: list[Statement]) -> list[tuple[str, ...]]:
        return sorted(
            (one.pair, one.kind, one.side, one.item, str(one.amount), str(one.since))
            for compared in compare(KEY, of)
            for one in compared.differences
        )

    assert told(made) == told(shuffled)


# ---- what was cancelled or given back after the order was placed -----------------------------------------------------

THREE = [piece("1", 3, "10.00"), piece("2", 1, "5.00")]


def ordered(canceled: int = 0, refunded: int = 0, **more: Any) -> Statement:
    """The shop's order of three lamps and a shade, of which so many lamps were cancelled or given back."""
    gone = [piece("1", number, "10.00") for number in (canceled, refunded)]
    return statement(K.SHOP_ORDER, canceled=gone[:1], refunded=gone[1:], **more)


def booked(canceled: int = 0, unsent: int = 0, **more: Any) -> Statement:
    gone, open_ = piece("1", canceled, "10.00"), piece("1", unsent, "10.00")
    return statement(K.SALES_ORDER, goods=THREE, canceled=[gone], unsent=[open_] if unsent else [], **more)


@pytest.mark.parametrize(
    ("shop", "erp", "said"),
    [
        (ordered(2), booked(2), []),
        (ordered(2), booked(), ["orders: cancellations differ 20.00 EUR"]),  # the ERP would send what nobody wants
        (ordered(), booked(1), ["orders: cancellations differ 10.00 EUR"]),  # the shop shows what never comes
        (ordered(refunded=1), booked(1), []),
        (ordered(refunded=1), booked(), []),  # sent, and taken back
        (ordered(system="portal"), booked(1), []),  # it has no books of its own
    ],
    ids=["both", "only shop", "only ERP", "given back", "returned", "portal"],
)
def test_what_was_cancelled_of_an_order_is_compared_apart_from_its_amount(
    shop: Statement, erp: Statement, said: list[str]
) -> None:
    assert found(*without(K.SHOP_ORDER, K.SALES_ORDER), shop, erp) == said


def test_an_order_that_the_shop_has_cancelled_and_the_erp_has_not_is_named() -> None:
    shop = statement(K.SHOP_ORDER, state=S.CANCELED, canceled=THREE)
    assert found(shop, booked(), statement(K.BILLING_ORDER)) == [
        "orders: status differs 99.84 EUR",
        "invoices: missing in invoices 99.84 EUR",
    ]
    whole = booked().model_copy(update={"canceled": tuple(THREE), "state": S.CANCELED})
    assert found(shop, whole) == []
    given_back = statement(K.SHOP_ORDER, refunded=THREE)
    assert found(given_back, whole) == []


def test_an_order_on_account_is_invoiced_in_the_shop_as_it_ships_and_never_beyond_its_invoice() -> None:
    rest = without(K.SHOP_ORDER, K.SHOP_INVOICE)
    shop = statement(K.SHOP_ORDER, on_account=True)
    assert found(*rest, shop, statement(K.SHOP_INVOICE, 5284)) == []
    assert found(*rest, shop, statement(K.SHOP_INVOICE, 9985)) == ["shop-invoices: amount differs 0.01 EUR"]


def test_an_invoice_that_was_canceled_after_all_went_back_is_in_step_unless_the_erp_still_sends() -> None:
    credited = [
        *without(K.SHOP_ORDER, K.SALES_ORDER, K.BILLING_ORDER, K.INVOICE, K.ENTRY, K.SETTLEMENT),
        statement(K.BILLING_ORDER, state=S.CANCELED),
        statement(K.INVOICE, state=S.CANCELED),
        statement(K.REFUND, item="tx-1"),
        statement(K.CASH_REFUND, item="tx-1"),
    ]
    assert found(*credited, ordered(refunded=3), booked()) == []
    assert found(*credited, ordered(refunded=3), booked(unsent=1)) == ["billing: status differs 99.84 EUR"]
    kept = [one for one in credited if one.kind not in (K.REFUND, K.CASH_REFUND)]
    assert found(*kept, ordered(refunded=2), booked()) == [
        "billing: status differs 99.84 EUR",
        "shop-invoices: status differs 99.84 EUR",
    ]
