"""Comparing shipments: by the number of the ERP, in its lines and at its prices."""

from decimal import Decimal

import pytest

from commerce.reconciliation import PAIRS, compare
from commerce.reconciliation_report import Totals
from commerce.statements import StatementState
from tests.commerce.statements import (
    BOOKED,
    IN_SHOP,
    KEY,
    LEFT,
    SHOWN,
    K,
    S,
    found,
    goods_found,
    invoiced,
    piece,
    shipped,
    statement,
)


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
    assert found(statement(K.SHOP_ORDER, system="portal"), BOOKED, LEFT, *invoiced("EUR")[:1]) == [
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
