"""An order is refused with field, value and remedy; a repeat is told from another order, and where they differ."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from pydantic import ValidationError

from commerce.order import Order, content, differences
from tests.commerce.sample import MISSING, changed, full, order, orders_that_add_up, plain

MISTAKES: list[tuple[str, str, Any, list[str]]] = [
    ("no store", "store", MISSING, ["store", "required"]),
    ("store with a separator", "store", "de:at", ["store", "de:at", "pattern"]),
    ("number with a blank", "number", "10 01", ["number", "10 01", "pattern"]),
    ("number with a slash", "number", "10/01", ["number", "10/01", "pattern"]),
    ("number too long", "number", "1" * 65, ["number", "pattern"]),
    ("time without a zone", "placed_at", "2026-03-01T10:00:00", ["placed_at", "timezone"]),
    ("unknown currency", "currency", "XYZ", ["currency 'XYZ'", "use three capital letters"]),
    ("no currency", "currency", "", ["currency ''", "use three capital letters"]),
    ("unknown base currency", "base_currency", "DEM", ["currency 'DEM'", "use three capital letters"]),
    ("rate of nothing", "base_rate", 0, ["base_rate", "0", "greater than 0"]),
    ("no lines", "lines", [], ["lines", "at least 1"]),
    ("too many lines", "lines", [plain()["lines"][0]] * 501, ["lines", "at most 500"]),
    ("the same line twice", "lines", [plain()["lines"][0]] * 2, ["id 1", "more than once", "give every line its own"]),
    ("quantity zero", "lines.0.quantity", 0, ["lines.0.quantity", "0", "greater than 0"]),
    ("seven decimals", "lines.0.quantity", "0.1234567", ["lines.0.quantity", "0.1234567", "6 decimal"]),
    ("tax above all", "lines.0.tax_percent", 101, ["lines.0.tax_percent", "101", "less than or equal to 100"]),
    ("parent of nobody", "lines.1.parent", "99", ["parent '99'", "line '2'", "use one of 1, 3, 4"]),
    ("own parent", "lines.1.parent", "2", ["parent '2'", "not another line", "leave it out"]),
    ("line of nobody", "discounts.0.line", "99", ["discounts[0].line", "'99'", "use one of 1, 2, 3, 4"]),
    (
        "line discount without line",
        "discounts.0.line",
        MISSING,
        ["discounts[0].line", "missing", "needs one of 1, 2, 3, 4"],
    ),
    ("order discount with line", "discounts.1.line", "1", ["discounts[1].line", "'1'", "leave the line out"]),
    ("wish for nobody's line", "shipment_wishes.0.lines", {"9": 1}, ["shipment_wishes[0]", "'9'", "use one of"]),
    ("wish for more", "shipment_wishes.0.lines", {"4": 3}, ["4 of line '4'", "the order has 3", "no more"]),
    ("wish for less than nothing", "shipment_wishes.0.lines", {"4": -1}, ["shipment_wishes.0.lines", "greater than 0"]),
    ("total in another currency", "total", "1.00 USD", ["total", "1.00 USD", "EUR", "give every amount in it"]),
    ("card in another currency", "gift_cards.0.amount", "1 JPY", ["gift_cards[0].amount", "1 JPY", "EUR"]),
    ("credit in another currency", "store_credit", "1.00 CHF", ["store_credit", "1.00 CHF", "EUR"]),
    ("base total in another", "base_total", "1.00 CHF", ["base_total", "1.00 CHF", "USD"]),
    ("no e-mail", "customer.email", "zoe", ["customer.email", "zoe", "pattern"]),
    ("company without number", "customer.kind", "company", ["company_number is missing", "company buyer needs"]),
    ("consumer without number", "customer.kind", "consumer", ["number is missing", "else use kind guest"]),
    ("unknown kind of buyer", "customer.kind", "robot", ["customer.kind", "robot", "'guest', 'consumer' or 'company'"]),
    ("country in words", "billing.country", "Germany", ["billing.country", "Germany", "pattern"]),
    ("no payments", "payments", [], ["payments", "at least 1"]),
    ("captured without proof", "payments.1.transaction_id", "", ["payments.1", "transaction_id is missing", "needs"]),
    ("a misspelt field", "shiping", {}, ["shiping", "Extra inputs are not permitted"]),
    ("a float of money", "lines.0.tax", {"minor": 1900.0, "currency": "EUR"}, ["lines.0.tax", "valid integer"]),
    ("a part of a cent", "total", "119.005 EUR", ["total", "119.005", "round it"]),
]


@pytest.mark.parametrize(("path", "value", "told"), [m[1:] for m in MISTAKES], ids=[m[0] for m in MISTAKES])
def test_a_mistake_is_told_with_field_value_and_remedy(path: str, value: Any, told: list[str]) -> None:
    with pytest.raises(ValidationError) as caught:
        Order.model_validate(changed(full(), path, value))
    text = str([(".".join(str(p) for p in e["loc"]), e["msg"], e["input"]) for e in caught.value.errors()])
    assert [part for part in told if part not in text] == [], text


def test_an_order_with_every_part_is_read() -> None:
    read = order(full())
    assert read.key == "de:1001"
    assert [line.parent for line in read.lines] == [None, "1", None, "3"]
    assert read.placed_at == datetime(2026, 3, 1, 10, tzinfo=UTC)
    assert Order.model_validate_json(read.model_dump_json()) == read


def test_a_time_in_any_zone_is_the_same_moment() -> None:
    assert order(placed_at="2026-03-01T19:00:00+09:00") == order()
    assert order(placed_at="2026-03-01T19:00:00+09:00").digest() == order().digest()


@pytest.mark.parametrize("same", ["2", "2.0", "2.0000", 2, Decimal("2.00"), "2E0"])
def test_a_quantity_with_more_zeros_is_the_same_order(same: Any) -> None:
    again = order(changed(plain(), "lines.0.quantity", same))
    assert again.digest() == order().digest()
    assert differences(content(order()), content(again)) == []


def test_a_quantity_keeps_its_plain_form() -> None:
    read = order(changed(plain(), "lines.0.quantity", "1000.50"))
    assert str(read.lines[0].quantity) == "1000.5"
    assert str(order(changed(plain(), "lines.0.quantity", "1000")).lines[0].quantity) == "1000"


@given(orders_that_add_up())
@settings(max_examples=30, deadline=None)
def test_the_order_of_fields_does_not_matter(data: dict[str, Any]) -> None:
    def backwards(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: backwards(value[name]) for name in reversed(list(value))}
        return [backwards(item) for item in value] if isinstance(value, list) else value

    assert order(backwards(data)).digest() == order(data).digest()
    assert order(data).digest() == Order.model_validate_json(order(data).model_dump_json()).digest()


def test_what_the_shop_fills_in_later_does_not_make_another_order() -> None:
    assert order(shop_id="77").digest() == order().digest()


CHANGES = [
    ("lines.0.quantity", "3", ['lines[0].quantity: known "2", given "3"']),
    ("lines.0.name", "Lampe", ['lines[0].name: known "Lampe „Nordlicht“", given "Lampe"']),
    ("lines.0.tax", "19.01 EUR", ["lines[0].tax.minor: known 1900, given 1901"]),
    ("billing.city", "Bonn", ['billing.city: known "Köln", given "Bonn"']),
    ("billing.street", ["Straße 1"], ['billing.street[1]: known "2. Stock", given nothing']),
    ("note", "ring", ['note: known nothing, given "ring"']),
    (
        "customer.email",
        "x" * 90 + "@example.com",
        ['customer.email: known "zoe@example.com", given "' + "x" * 76 + "..."],
    ),
]


@pytest.mark.parametrize(("path", "value", "told"), CHANGES, ids=[path for path, _, _ in CHANGES])
def test_a_difference_names_its_place_and_both_values(path: str, value: Any, told: list[str]) -> None:
    other = order(changed(plain(), path, value))
    assert other.digest() != order().digest()
    assert differences(content(order()), content(other)) == told


def test_a_line_more_is_named_as_that_line_only() -> None:
    more = plain()
    more["lines"].append(more["lines"][0] | {"id": "2"})
    [told] = differences(content(order()), content(order(more)))
    assert told.startswith("lines[1]: known nothing, given {")
