"""What is said about a difference: what explains it, what brings it in step, and the command."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from commerce.reconciliation import PAIRS, Difference, compare
from commerce.repair import Facts, GoodsFacts, advise
from tests.commerce.statements import AT, IN_SHOP, KEY, LEFT, MISSING, SHOWN, K, S, difference, shipped, statement


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


def test_what_a_person_settled_of_a_cancellation_explains_what_it_leaves() -> None:
    stands = difference(
        statement(K.SALES_ORDER, state=S.CANCELED), statement(K.BILLING_ORDER), statement(K.INVOICE), pair="billing"
    )
    fresh = {"handed_over": True, "fresh_since": AT}
    left = Facts(stage="completed", goods=GoodsFacts(**fresh))
    assert advise(stands, left).explained == ""
    settled = GoodsFacts(**fresh, skipped=("refund what was cancelled: credited (dana)",))
    said = advise(stands, Facts(stage="completed", goods=settled)).explained
    assert said == "skipped by a decision: refund what was cancelled: credited (dana)"
    assert advise(MISSING, Facts(stage="completed", goods=settled)).explained == "", "it explains nothing else"


def test_cancellations_that_differ_say_what_was_cancelled_where() -> None:
    lamp = {"line": "1", "sku": "HF-1001", "price": "39.50"}
    shop = statement(K.SHOP_ORDER, canceled=[{**lamp, "quantity": 2}])
    erp = statement(K.SALES_ORDER, goods=[{**lamp, "quantity": 3}])
    advised = advise(difference(shop, erp), Facts(stage="completed"))
    said = "of shop order shop order-1 over 99.84 EUR was cancelled: 2 of HF-1001; of sales order sales order-1"
    assert advised.remedy.startswith(said)
    assert advised.remedy.endswith(
        ": nothing; cancel what is missing in the shop, or with `starter.py cancel de:1001` at the ERP"
    )
