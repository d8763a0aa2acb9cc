"""What a shop's cancelled rows mean for the lines that the ERP books."""

from decimal import Decimal
from typing import Any

from commerce.goods import cancelled_goods
from commerce.order import Order
from tests.commerce.sample import order, plain


def of(*rows: dict[str, Any]) -> Order:
    made = plain()
    line, free = made["lines"][0], {"unit_price": "0.00 EUR", "total": "0.00 EUR", "tax": "0.00 EUR"}
    made["lines"] = [line, *({**line, **free, **row} for row in rows)]
    return order(made)


def test_a_row_that_is_a_line_is_cancelled_in_its_own_quantity() -> None:
    assert cancelled_goods(of(), {"1": Decimal(1)}) == {"1": Decimal(1)}
    assert cancelled_goods(of(), {}) == {}


def test_a_bundles_row_takes_its_parts_along_in_proportion() -> None:
    bundle = {"id": "2", "sku": "SET", "kind": "bundle", "quantity": 3}
    part = {"id": "3", "sku": "BULB", "parent": "2", "quantity": 6}
    made = of(bundle, part)
    assert cancelled_goods(made, {"2": Decimal(1)}) == {"3": Decimal(2)}
    assert cancelled_goods(made, {"2": Decimal(1), "3": Decimal(4)}) == {"3": Decimal(4)}


def test_a_configurables_row_is_the_line_and_its_variant_is_not() -> None:
    variant = {"id": "2", "sku": "LAMP-RED", "parent": "1"}
    made = of(variant)
    configurable = made.model_copy(
        update={"lines": (made.lines[0].model_copy(update={"kind": "configurable"}), *made.lines[1:])}
    )
    assert cancelled_goods(configurable, {"1": Decimal(1), "2": Decimal(1)}) == {"1": Decimal(1)}
