"""Comparing both sides of a pair: what is a difference, what is none, and what is said about it."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commerce.money import Money
from commerce.reconciliation import (
    PAIRS,
    Difference,
    DifferenceKind,
    Piece,
    Statement,
    StatementKind,
    StatementState,
    compare,
)
from commerce.reconciliation_report import Totals, ages, bucket_of, verdict
from commerce.repair import Facts, GoodsFacts, advise

K, S = StatementKind, StatementState
AT = datetime(2026, 11, 21, 10, tzinfo=UTC)
KEY = "de:1001"


def statement(kind: StatementKind, minor: int = 9984, state: StatementState = S.LIVE, **more: Any) -> Statement:
    fields: dict[str, Any] = {
        "kind": kind,
        "system": "somewhere",
        "key": KEY,
        "id": f"{kind}-1",
        "amount": {"minor": minor, "currency": "EUR"},
        "state": state,
        "created_at": AT,
        "modified_at": AT,
    }
    return Statement.model_validate(fields | more)


def piece(line: str, quantity: int, price: str, parent: str = "") -> Piece:
    return Piece(line=line, sku=f"SKU-{line}", quantity=Decimal(quantity), price=Decimal(price), parent=parent)


# An order in the shop with everything that belongs to it.
WHOLE = (
    statement(K.SHOP_ORDER),
    statement(K.SALES_ORDER),
    statement(K.PAYMENT, item="tx-1"),
    statement(K.RECEIPT, item="tx-1"),
    statement(K.BILLING_ORDER),
    statement(K.INVOICE),
    statement(K.SHOP_INVOICE),
    statement(K.ENTRY),
    statement(K.SETTLEMENT),
    statement(K.SHIPMENT, item="SH-1"),
    statement(K.SHOP_SHIPMENT, item="SH-1"),
)


def found(*statements: Statement) -> list[str]:
    return [
        f"{one.pair}: {one.kind}{f' in {one.side}' if one.side else ''} {one.amount}"
        for compared in compare(KEY, statements)
        for one in compared.differences
    ]


def without(*kinds: StatementKind) -> list[Statement]:
    return [one for one in WHOLE if one.kind not in kinds]


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
    assert found(
        statement(K.SHOP_ORDER), sales, statement(K.BILLING_ORDER, amount=sales.amount), *_invoiced("USD")
    ) == [
        "orders: amount differs 99.84 EUR",
    ]


def _invoiced(currency: str) -> list[Statement]:
    amount = Money(minor=9984, currency=currency)
    return [statement(K.INVOICE, amount=amount), statement(K.SHOP_INVOICE, amount=amount)]


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


# ---- goods -----------------------------------------------------------------------------------------------------------

# A lamp, and a set that the ERP ships in parts; the shop shows the set above them and a variant below its article.
BOOKED = statement(K.SALES_ORDER, goods=[piece("1", 3, "39.50"), piece("2", 2, "10.00"), piece("3", 4, "5.00")])
IN_SHOP = (statement(K.SHOP_ORDER), BOOKED)
LEFT = statement(
    K.SHIPMENT, 10900, item="SH-1", goods=[piece("1", 2, "39.50"), piece("2", 1, "10.00"), piece("3", 4, "5.00")]
)
SHOWN = [
    piece("1", 2, "41.99"),
    piece("11", 2, "0", parent="1"),
    piece("2", 1, "9"),
    piece("9", 1, "19"),
    piece("3", 4, "4"),
]
SHOWN = [each if each.line not in "23" else each.model_copy(update={"parent": "9"}) for each in SHOWN]


def shipped(*goods: Piece, **more: Any) -> Statement:
    return statement(K.SHOP_SHIPMENT, 1, goods=goods or SHOWN, **{"item": "SH-1", "names": ["SH-1"], **more})


def goods_found(*statements: Statement) -> list[str]:
    return [line for line in found(*IN_SHOP, *statements) if line.startswith("shipments")]


def test_a_shipment_is_in_step_when_the_erps_lines_hold_the_same_quantities_at_the_erps_prices() -> None:
    assert goods_found(LEFT, shipped()) == []
    [pair] = [each for each in compare(KEY, [*IN_SHOP, LEFT, shipped()]) if each.pair.goods]
    assert [str(one.amount) for one in (*pair.left, *pair.right)] == ["109.00 EUR", "109.00 EUR"]


def test_other_quantities_are_a_difference_over_what_the_pieces_are_worth() -> None:
    assert goods_found(LEFT, shipped(SHOWN[0], *SHOWN[2:4])) == ["shipments: goods differ 20.00 EUR"]
    less = [SHOWN[0].model_copy(update={"quantity": Decimal(1)}), *SHOWN[1:]]
    assert goods_found(LEFT, shipped(*less)) == ["shipments: goods differ 39.50 EUR"]
    foreign = piece("77", 1, "3.00")
    assert goods_found(LEFT, shipped(*SHOWN, foreign)) == ["shipments: goods differ 3.00 EUR"]


def test_a_shipment_of_the_shop_is_found_by_the_number_that_its_comment_mentions() -> None:
    by_hand = {"item": "", "keyed": False, "number": "300000001", "id": "s1"}
    assert goods_found(LEFT, shipped(**by_hand, names=["2026", "SH-1"])) == []
    assert goods_found(LEFT, shipped(**by_hand, names=["SH-10"])) == [
        "shipments: missing in shop shipments 109.00 EUR",
        "shipments: missing in ERP shipments 109.00 EUR",
    ]
    assert goods_found(LEFT, shipped(), shipped(**by_hand)) == ["shipments: doubled in shop shipments 109.00 EUR"]


@pytest.mark.parametrize(
    ("state", "told"),
    [(S.PENDING, []), (S.CANCELED, []), (S.LIVE, ["shipments: missing in shop shipments 109.00 EUR"])],
)
def test_only_what_left_the_house_has_to_be_in_the_shop(state: StatementState, told: list[str]) -> None:
    assert goods_found(LEFT.model_copy(update={"state": state})) == told


def test_the_shop_shows_no_goods_that_the_erp_has_not_shipped() -> None:
    for state in (S.PENDING, S.CANCELED):
        waiting = LEFT.model_copy(update={"state": state})
        assert goods_found(waiting, shipped()) == ["shipments: status differs 109.00 EUR"]


def test_shipments_of_a_portals_order_belong_in_no_shop() -> None:
    assert found(statement(K.SHOP_ORDER, system="portal"), BOOKED, LEFT, *_invoiced("EUR")[:1]) == [
        "billing: missing in billing 99.84 EUR",
        "invoices: missing in billing 99.84 EUR",
    ]


def test_pieces_are_counted_for_shipments_alone() -> None:
    totals = Totals()
    for compared in compare(KEY, [*IN_SHOP, LEFT, shipped()]):
        totals.add(compared)
    counted = {row.pair: (int(row.left_pieces), int(row.right_pieces)) for row in totals.rows(PAIRS)}
    assert counted.pop("shipments") == (7, 7)
    assert set(counted.values()) == {(0, 0)}


# ---- what is said about it -------------------------------------------------------------------------------------------


def difference(*statements: Statement, pair: str = "orders") -> Difference:
    [one] = [each for c in compare(KEY, statements) for each in c.differences if c.pair.name == pair]
    return one


MISSING = difference(statement(K.SHOP_ORDER))


@pytest.mark.parametrize(
    ("facts", "explained", "command"),
    [
        (
            Facts(stage="awaiting payment", open_since=AT),
            "in progress: awaiting payment since 2026-11-21 10:00 UTC",
            "starter.py explain de:1001",
        ),
        (
            Facts(stage="booking", open_since=AT, cases=("de:1001:1",)),
            "parked: de:1001:1",
            'starter.py resolve de:1001:1 --decision retry --reason "…"',
        ),
        (
            Facts(stage="completed", skipped=("cancel sales order: gone (olga)",)),
            "skipped by a decision: cancel sales order: gone (olga)",
            "starter.py explain de:1001",
        ),
        (Facts(stage="completed"), "", "starter.py explain de:1001"),
    ],
)
def test_what_explains_a_missing_document_is_named_with_the_command(facts: Facts, explained: str, command: str) -> None:
    advised = advise(MISSING, facts)
    assert (advised.explained, advised.command) == (explained, command)
    assert advised.remedy or advised.explained


def test_neither_an_open_run_nor_a_case_explains_what_is_there_twice_or_with_another_amount() -> None:
    facts = Facts(stage="booking", open_since=AT, cases=("de:1001:1",))
    doubled = difference(statement(K.SHOP_ORDER), statement(K.SALES_ORDER), statement(K.SALES_ORDER, id="twin"))
    off = difference(statement(K.SHOP_ORDER), statement(K.SALES_ORDER, 1))
    for one in (doubled, off):
        advised = advise(one, facts)
        assert advised.explained == ""
        assert advised.command.startswith("starter.py resolve de:1001:1 ")
        assert advised.remedy


def test_a_correction_explains_another_amount_than_the_shops() -> None:
    facts = Facts(stage="completed", corrected="olga: typing error")
    off = difference(statement(K.SHOP_ORDER), statement(K.SALES_ORDER, 1))
    assert advise(off, facts).explained == "corrected by a decision: olga: typing error"
    booked = difference(statement(K.SALES_ORDER, 1), statement(K.BILLING_ORDER), pair="billing")
    assert advise(booked, facts).explained == ""


@pytest.mark.parametrize("pair", [pair.name for pair in PAIRS])
@pytest.mark.parametrize("side", ["left", "right"])
def test_every_missing_document_says_what_to_do(pair: str, side: str) -> None:
    [of] = [each for each in PAIRS if each.name == pair]
    there = [statement(of.left if side == "right" else of.right, item="tx-1")]
    if pair in ("shop-invoices", "shipments"):
        there.append(statement(K.SHOP_ORDER))
    advised = advise(difference(*there, pair=pair), Facts(stage="completed"))
    assert advised.remedy
    assert "{" not in advised.remedy
    assert advised.command == "starter.py explain de:1001"


UNWRITTEN = difference(*IN_SHOP, LEFT, pair="shipments")
BY_HAND = difference(*IN_SHOP, shipped(item="", names=[], keyed=False, number="300000001"), pair="shipments")
EARLIER, LATER = AT - timedelta(minutes=1), AT + timedelta(minutes=1)


def goods(fresh_since: datetime = LATER, **more: Any) -> Facts:
    known = GoodsFacts.model_validate({"handed_over": True, "fresh_since": fresh_since, **more})
    return Facts(stage="completed", cases=("de:1001:of-the-money",), goods=known)


@pytest.mark.parametrize(
    ("about", "facts", "explained", "command"),
    [
        (UNWRITTEN, goods(), "", "starter.py follow de:1001"),
        (
            UNWRITTEN,
            goods(EARLIER),
            "in progress: left the house, on its way to the shop since 2026-11-21 10:00 UTC",
            "starter.py explain de:1001",
        ),
        (UNWRITTEN, goods(EARLIER, written=["SH-1"]), "", "starter.py follow de:1001"),
        (UNWRITTEN, goods(EARLIER, handed_over=False), "", "starter.py explain de:1001"),
        (
            UNWRITTEN,
            goods(cases=["de:1001:2"]),
            "parked: de:1001:2",
            'starter.py resolve de:1001:2 --decision retry --reason "…"',
        ),
        (
            UNWRITTEN,
            goods(skipped=["write shipment SH-10: no (olga)", "write shipment SH-1: sent by hand (olga)"]),
            "skipped by a decision: write shipment SH-1: sent by hand (olga)",
            "starter.py explain de:1001",
        ),
        (BY_HAND, goods(EARLIER), "", "starter.py explain de:1001"),
    ],
)
def test_a_shipment_that_the_shop_has_not_says_what_brings_it_there(
    about: Difference, facts: Facts, explained: str, command: str
) -> None:
    advised = advise(about, facts)
    assert (advised.explained, advised.command) == (explained, command)
    assert advised.remedy or advised.explained


def test_goods_that_differ_name_what_each_side_holds() -> None:
    [off] = [
        each
        for c in compare(KEY, [*IN_SHOP, LEFT, shipped(SHOWN[0])])
        for each in c.differences
        if each.kind == "goods differ"
    ]
    assert "holds 2 of SKU-1, 1 of SKU-2, 4 of SKU-3" in advise(off, goods(EARLIER)).remedy


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
