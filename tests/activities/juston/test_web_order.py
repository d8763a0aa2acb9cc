"""Lines that the invoice run turns into exactly the order's total, whatever the shop's rounding was."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activities.juston.web_order import (
    LINE_KEY,
    PRODUCT,
    REFERENCE,
    TAX_DELTA,
    TITLE,
    bill_lines,
    differences,
    invoice_total,
    line_body,
    order_body,
    unit_price,
    web_order,
    write_parts,
)
from activities.salesforce.wire import dumps, loads
from commerce.money import decimals_of
from commerce.order import Line, Order
from commerce.text import DoesNotFit, measure
from commerce.totals import gross_total, tax_total
from tests.activities.juston.desk import billing_task, money, order, settings

TEXTS = st.text(min_size=1, max_size=400, alphabet="aЖ日本語é👩‍👩‍👧e\u0301 ")
RATES = st.sampled_from([Decimal(0), Decimal(7), Decimal(19), Decimal("8.875"), Decimal("5.5"), Decimal("10.123456")])
STORES = {"EUR": "de", "JPY": "jp", "KWD": "kw"}


@st.composite
def orders(draw: st.DrawFn) -> Order:
    currency = draw(st.sampled_from(sorted(STORES)))

    def amount(most: int = 10**7) -> dict[str, Any]:
        return {"minor": draw(st.integers(0, most)), "currency": currency}

    def quantity() -> Decimal:
        # Below this, the dearest line has a price of more than the field's twelve digits; such a line is refused.
        return draw(st.decimals("0.00002", 5000, places=6) | st.integers(1, 999).map(Decimal))

    lines = [
        {
            "id": str(i),
            "sku": f"SKU-{i}",
            "name": draw(TEXTS),
            "quantity": quantity(),
            "unit_price": amount(),
            "total": amount(),
            "tax": amount(10**6),
            "tax_percent": draw(RATES),
            "parent": None if i == 0 or draw(st.booleans()) else "0",
        }
        for i in range(draw(st.integers(1, 5)))
    ]
    charge = {"amount": amount(10**5), "tax": amount(10**4), "tax_percent": draw(RATES)}
    levels = st.sampled_from(["line", "order", "customer", "shipping"])
    discounts = [
        {"level": level, "line": "0" if level == "line" else None, "amount": amount(10**5)}
        for level in draw(st.lists(levels, max_size=3))
    ]
    return order(
        STORES[currency],
        lines=lines,
        shipping=draw(st.none() | st.just(charge)),
        fees=draw(st.lists(st.just({"code": "deposit", **charge}), max_size=2)),
        duties=draw(st.lists(st.just({"code": "import", "amount": amount(10**4)}), max_size=2)),
        discounts=discounts,
    )


@given(orders())
def test_net_and_tax_of_the_lines_are_the_gross_total_to_the_minor_unit(placed: Order) -> None:
    lines = bill_lines(placed, settings())
    assert invoice_total(lines, placed.currency) == gross_total(placed)
    assert sum(line.tax(placed.currency).minor for line in lines) == tax_total(placed).minor


@given(orders())
def test_every_line_fits_its_fields_and_has_a_key_of_its_own(placed: Order) -> None:
    lines = bill_lines(placed, settings())
    assert len({line.key for line in lines}) == len(lines)
    for line in lines:
        assert measure(line.key, LINE_KEY.unit) <= LINE_KEY.size
        assert measure(line.title, TITLE.unit) <= TITLE.size
        for number, decimals in ((line.quantity, 6), (line.price, 9), (line.rate, 5)):
            assert -int(number.normalize().as_tuple().exponent) <= decimals
        if line.type != PRODUCT or "discount" in line.key or "tax-delta" in line.key:
            exponent = -int(line.price.as_tuple().exponent)
            assert exponent <= decimals_of(placed.currency)


@given(orders())
def test_what_is_read_back_is_what_was_written(placed: Order) -> None:
    configured = settings()
    wanted = web_order(billing_task(placed, entry=True), configured)
    fields = configured.fields.billing
    row = loads(dumps({**order_body(wanted, configured), fields.order_key: wanted.key}).encode())
    lines = [
        {**loads(dumps(line_body(line, i, fields, "a0W")).encode()), fields.line_key: line.key}
        for i, line in enumerate(wanted.lines)
    ]
    assert differences(wanted, row, lines, configured) == []


def test_taxes_that_the_rates_give_need_no_delta_and_others_do() -> None:
    even = order(minor=11900)
    assert [line.type for line in bill_lines(even, settings())] == [PRODUCT]
    odd = even.model_copy(update={"lines": (even.lines[0].model_copy(update={"tax": money(1899)}),)})
    delta = bill_lines(odd, settings())[-1]
    assert (delta.type, delta.price) == (TAX_DELTA, Decimal("-0.01"))


def test_a_row_behind_its_parent_stands_on_the_invoice_only_when_it_carries_money() -> None:
    parent = order().lines[0]
    free = parent.model_copy(update={"id": "2", "parent": "1", "total": money(0), "tax": money(0)})
    paid = parent.model_copy(update={"id": "3", "parent": "1"})
    placed = order(lines=(parent, free, paid))
    assert [line.key.rsplit(":", 1)[1] for line in bill_lines(placed, settings())] == ["1", "3"]


@pytest.mark.parametrize(
    ("unit", "quantity", "total", "price"),
    [
        (3333, "3", 10000, "33.333333333"),
        (1001, "1.5", 1502, "10.01"),
        (0, "7", 1, "0.001428571"),
        (500, "2", 1000, "5.00"),
    ],
)
def test_the_unit_price_gives_the_total_that_was_charged(unit: int, quantity: str, total: int, price: str) -> None:
    line = Line.model_validate(
        {
            "id": "1",
            "sku": "S",
            "name": "n",
            "quantity": Decimal(quantity),
            "unit_price": money(unit),
            "total": money(total),
            "tax": money(0),
        }
    )
    assert unit_price(line) == Decimal(price)


def test_a_price_of_more_digits_than_the_field_holds_is_refused_with_the_line() -> None:
    speck = order().lines[0].model_copy(update={"quantity": Decimal("0.000001"), "total": money(10**9)})
    with pytest.raises(DoesNotFit, match="line 1: quantity or price has more than 12 digits"):
        bill_lines(order(lines=(speck,)), settings())


def test_references_are_whole_or_counted_and_a_gift_card_is_named_by_its_end() -> None:
    payment = {"method": "card", "gateway": "adyen", "amount": money(1), "state": "captured"}
    placed = order(
        payments=[{**payment, "transaction_id": f"{i}" + "X" * 70} for i in range(6)],
        gift_cards=[{"code": "SECRET-CODE-7788", "amount": money(1)}],
    )
    wanted = web_order(billing_task(placed, already_paid=placed.payments), settings())
    assert measure(wanted.reference, REFERENCE.unit) <= REFERENCE.size
    assert wanted.reference.endswith("; +4")
    assert wanted.gateway == money(6)
    alone = web_order(billing_task(order(gift_cards=placed.gift_cards)), settings())
    assert alone.reference == "gift card …7788"


def test_keys_are_safe_in_addresses_and_the_debtor_is_named_by_key_or_id() -> None:
    configured = settings()
    placed = order(number="A+1&2")
    parts = write_parts(web_order(billing_task(placed), configured), configured)
    assert parts[0].path.endswith("/de%3AA%2B1%262")
    assert parts[0].body is not None
    assert parts[0].body["ON_Account__r"] == {"Magento_Customer_Id__c": "de:web"}
    by_id = settings(account_by="id", single_currency="EUR")
    task = billing_task(placed)
    task = task.model_copy(update={"customer": task.customer.model_copy(update={"id": "0015e0000000001AAA"})})
    body = order_body(web_order(task, by_id), by_id)
    assert body["ON_Account__c"] == "0015e0000000001AAA"
    assert "CurrencyIsoCode" not in body


@pytest.mark.parametrize(
    "spoil",
    [
        {"Expected_Total__c": Decimal("119.01")},
        {"CurrencyIsoCode": "USD"},
        {"Entry_Key__c": "de:other"},
        {"PP_Gateway__c": Decimal(1)},
        {"ON_Account__r": {"Magento_Customer_Id__c": "de:501"}},
        {"ON_Account__r": None},
        {"Magento_Order_Id__c": "DE:1"},
    ],
)
def test_a_difference_in_money_customer_or_key_is_named(spoil: dict[str, Any]) -> None:
    configured = settings()
    wanted = web_order(billing_task(order(minor=11900)), configured)
    fields = configured.fields.billing
    row = {**order_body(wanted, configured), fields.order_key: wanted.key, **spoil}
    lines = [{**line_body(line, 1, fields, ""), fields.line_key: line.key} for line in wanted.lines]
    found = differences(wanted, row, lines, configured)
    assert len(found) == 1


def test_a_missing_a_foreign_and_a_changed_line_are_named() -> None:
    configured = settings()
    wanted = web_order(billing_task(order()), configured)
    fields = configured.fields.billing
    row = {**order_body(wanted, configured), fields.order_key: wanted.key}
    line = line_body(wanted.lines[0], 1, fields, "")
    key = wanted.lines[0].key
    assert "is not there" in differences(wanted, row, [], configured)[0]
    assert (
        "not in the order"
        in differences(wanted, row, [{**line, fields.line_key: key}, {**line, fields.line_key: "x"}], configured)[0]
    )
    assert (
        "ON_TaxRate__c is 7"
        in differences(wanted, row, [{**line, fields.line_key: key, fields.line_tax_rate: Decimal(7)}], configured)[0]
    )
