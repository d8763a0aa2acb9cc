"""An order in FinancialForce's words: not a minor unit more or less, not a letter lost that matters."""

import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from activities.financialforce import limits, mapping
from activities.financialforce.mapping import address_fields, erp_order, external_id, order_data
from activities.financialforce.settings import ChargeItems, FieldNames
from activities.salesforce import wire
from commerce.goods import goods
from commerce.money import Money, rounded, total
from commerce.order import Address, Order, Shipping
from commerce.text import DoesNotFit, measure
from commerce.totals import gross_total, prepaid_elsewhere, tax_total
from tests.activities.financialforce.sample_orders import NAMES, full_order, line, money, orders

ITEMS = ChargeItems(tax="TAX")


@settings(max_examples=60)
@given(orders())
def test_lines_and_tax_are_the_gross_total_to_the_minor_unit(order: Order) -> None:
    booked = erp_order(order, ITEMS)
    lines = total((row.total for row in booked.lines), order.currency)
    assert lines.decimal() + booked.tax == gross_total(order).decimal() == booked.gross.decimal()
    for row in booked.lines:
        assert rounded(row.price * row.quantity, order.currency) == row.total
        assert limits.PRICE.fits(row.price)
        assert limits.QUANTITY.fits(row.quantity)
        assert measure(row.title, limits.LINE_TITLE.unit) <= 255
    assert len({row.key for row in booked.lines}) == len(booked.lines)


@settings(max_examples=40)
@given(orders())
def test_the_order_data_reads_back_as_the_same_order(order: Order) -> None:
    assert Order.model_validate_json(order_data(order)) == order


@settings(max_examples=40)
@given(orders())
def test_a_booked_order_equals_itself(order: Order) -> None:
    booked = erp_order(order, ITEMS)
    ids = {row.sku: f"id-{row.sku}" for row in booked.lines}
    names = FieldNames()
    rows = [mapping.line_fields(row, names, item_id=ids[row.sku]) | {names.line_key: row.key} for row in booked.lines]
    header: dict[str, Any] = {"SCMC__Customer_Account__c": "001", "SCMC__Currency__r": {"Name": order.currency}}
    header |= {"SCMC__Total_Tax__c": booked.tax}
    header, rows = wire.loads(wire.dumps([header, rows]).encode())
    found = mapping.order_differences(booked, header, rows, names, customer_id="001", item_ids=ids)
    assert found == []


DIFFERENT: list[tuple[str, str]] = [
    ("customer", "customer: the books have 002, the order has 001"),
    ("currency", "currency: the books have USD, the order has EUR"),
    ("tax", "tax: the books have 1.00 EUR, the order has 44.61 EUR"),
    ("price", "line de:1001:2: the books have 19.91 EUR, the order has 19.90 EUR"),
    ("quantity", "line de:1001:2: the books have quantity 2, the order has 1"),
    ("item", "line de:1001:2: the books have another item than HF-2000-M"),
    ("missing", "line de:1001:2 (HF-2000-M, 19.90 EUR): the books do not have it"),
    ("more", "line de:1001:99: the books have it, the order does not"),
]


@pytest.mark.parametrize(("change", "said"), DIFFERENT)
def test_a_difference_is_named_with_both_values(change: str, said: str) -> None:
    booked, names = erp_order(full_order(), ITEMS), FieldNames()
    ids = {row.sku: row.sku for row in booked.lines}
    rows = {
        row.key: mapping.line_fields(row, names, item_id=row.sku) | {names.line_key: row.key} for row in booked.lines
    }
    header: dict[str, Any] = {"SCMC__Customer_Account__c": "001", "SCMC__Currency__r": {"Name": "EUR"}}
    header |= {"SCMC__Total_Tax__c": booked.tax}
    second = rows["de:1001:2"]
    match change:
        case "customer":
            header["SCMC__Customer_Account__c"] = "002"
        case "currency":
            header["SCMC__Currency__r"] = {"Name": "USD"}
        case "tax":
            header["SCMC__Total_Tax__c"] = Decimal("1.00")
        case "price":
            second["SCMC__Price__c"] = Decimal("19.91")
        case "quantity":
            second["SCMC__Quantity__c"] = Decimal(2)
        case "item":
            second["SCMC__Item_Master__c"] = "other"
        case "missing":
            del rows["de:1001:2"]
        case "more":
            rows["x"] = second | {names.line_key: "de:1001:99"}
    found = mapping.order_differences(booked, header, rows.values(), names, customer_id="001", item_ids=ids)
    assert said in found


def test_every_part_of_an_order_has_its_place() -> None:
    booked = erp_order(full_order(), ChargeItems())
    assert [(row.key.removeprefix("de:1001:"), row.sku, row.title, row.total.minor) for row in booked.lines] == [
        ("1", "HF-1001", "Leselampe Aurora 🫖", 10000),
        ("2", "HF-2000-M", "Artikel HF-2000-M", 1990),
        ("5", "HF-3000-A", "Artikel HF-3000-A", 4000),
        ("6", "HF-3000-B", "Artikel HF-3000-B", 0),
        ("7", "HF-1004", "茶筒 (桜)", 6000),
        ("charge:shipping", "SHIPPING", "UPS Standard", 990),
        ("charge:fee:0", "FEE", "Nachnahme", 500),
        ("charge:duty:0", "DUTY", "Zoll", 1230),
        ("charge:discount:0", "DISCOUNT", "Herbst", -1000),
        ("charge:discount:1", "DISCOUNT", "SAVE10", -1000),
    ]
    assert booked.tax == Decimal("44.61")


def test_gift_cards_and_store_credit_are_no_order_value_but_stay_in_the_order_data() -> None:
    order = full_order()
    booked = erp_order(order, ITEMS)
    assert prepaid_elsewhere(order).minor == 2800
    assert booked.gross == order.total + prepaid_elsewhere(order)
    assert "GC-1" in order_data(order)
    assert '"store_credit":"3.00 EUR"' in order_data(order)


@pytest.mark.parametrize(
    ("rows", "booked"),
    [
        ([("1", "configurable", None, 100), ("2", "simple", "1", 0)], "1"),
        ([("1", "configurable", None, 0), ("2", "simple", "1", 0)], "1"),
        ([("1", "configurable", None, 100), ("2", "simple", "1", 50)], "1 2"),
        ([("1", "bundle", None, 0), ("2", "simple", "1", 60), ("3", "simple", "1", 40)], "2 3"),
        ([("1", "bundle", None, 0), ("2", "simple", "1", 60), ("3", "simple", "1", 0)], "2 3"),
        ([("1", "bundle", None, 100), ("2", "simple", "1", 0), ("3", "simple", "1", 0)], "1"),
        ([("1", "bundle", None, 100), ("2", "simple", "1", 30)], "1 2"),
        ([("1", "bundle", None, 0)], "1"),
        ([("1", "simple", None, 0)], "1"),
        ([("1", "gift_card", None, 100), ("2", "virtual", None, 1)], "1 2"),
    ],
)
def test_rows_that_carry_goods_or_money_become_lines(rows: list[tuple[str, Any, Any, int]], booked: str) -> None:
    lines = tuple(line("EUR", id, f"S{id}", "1", amount, kind=kind, parent=parent) for id, kind, parent, amount in rows)
    order = full_order(lines=lines, discounts=())
    assert " ".join(row.id for row in goods(order)) == booked


@pytest.mark.parametrize(
    ("currency", "minor", "in_field"),
    [
        ("EUR", 4461, True),
        ("EUR", 999_999_999, True),
        ("EUR", 1_000_000_000, False),
        ("JPY", 9_999_999, True),
        ("JPY", 10_000_000, False),
        ("KWD", 1230, True),
        ("KWD", 1234, False),
    ],
)
def test_tax_that_the_field_cannot_hold_is_a_line(currency: str, minor: int, in_field: bool) -> None:
    rows = (line(currency, "1", "HF-1001", "1", 1000, tax=minor),)
    order = full_order(
        currency=currency, lines=rows, shipping=None, fees=(), duties=(), discounts=(), gift_cards=(), store_credit=None
    )
    booked = erp_order(order, ITEMS)
    tax_lines = [(row.sku, row.total.minor) for row in booked.lines if row.key.endswith(":charge:tax")]
    assert tax_lines == ([] if in_field else [("TAX", minor)])
    assert booked.tax == (tax_total(order).decimal() if in_field else 0)


@pytest.mark.parametrize(
    ("quantity", "minor", "field"),
    [
        ("1.00001", 100, "SCMC__Quantity__c"),
        ("1", 100_000_000_000, "SCMC__Price__c"),
        ("100000000", 333, "SCMC__Price__c"),
    ],
)
def test_what_a_number_field_cannot_hold_is_refused_by_the_fields_name(quantity: str, minor: int, field: str) -> None:
    rows = (line("EUR", "1", "HF-1001", quantity, minor, unit_price=money(1, "EUR")),)
    with pytest.raises(DoesNotFit, match=re.escape(field)):
        erp_order(full_order(lines=rows, discounts=()), ITEMS)


@pytest.mark.parametrize("name", NAMES)
def test_a_title_is_cut_between_characters_that_people_see(name: str) -> None:
    rows = (line("EUR", "1", "HF-1001", "1", 100_00, name=name),)
    title = erp_order(full_order(lines=rows, discounts=()), ITEMS).lines[0].title
    assert measure(title, limits.LINE_TITLE.unit) <= 255
    assert title == name or (title.endswith("…") and name.startswith(title.removesuffix("…")))
    assert title.encode("utf-16-le").decode("utf-16-le") == title


def test_five_hundred_rows_fit_into_the_order_data() -> None:
    rows = tuple(line("EUR", f"{i}", f"SKU-{i:05}", "1", 1999, tax=380, name=f"Artikel {i:05}") for i in range(480))
    data = order_data(full_order(lines=rows, discounts=()))
    assert measure(data, limits.ORDER_DATA.unit) < limits.ORDER_DATA.size


def test_order_data_without_room_is_refused_and_never_cut() -> None:
    rows = tuple(line("EUR", f"{i}", f"SKU-{i:05}", "1", 1999, name="🫖" * 1000) for i in range(80))
    with pytest.raises(DoesNotFit, match="order data"):
        order_data(full_order(lines=rows, discounts=()))


def test_an_address_keeps_all_its_parts() -> None:
    fields = address_fields(
        Address(
            first_name="Петра",
            last_name="Müller ",
            company="株式会社もみじ",
            street=("Domstraße 1", " ", "Hof 2", "c/o 茶"),
            city="Köln",
            region="NRW",
            postcode="50667",
            country="DE",
        ),
        "001",
    )
    assert fields == {
        "SCMC__Customer_Site__c": "001",
        "SCMC__Display_Name__c": "株式会社もみじ, Петра Müller",
        "SCMC__Mailing_Street__c": "Domstraße 1",
        "SCMC__Mailing_Street_Additional_Information__c": "Hof 2, c/o 茶",
        "SCMC__Mailing_City__c": "Köln",
        "SCMC__Mailing_State_Province__c": "NRW",
        "SCMC__Mailing_Zip_Postal_Code__c": "50667",
        "SCMC__Mailing_Country__c": "DE",
        "SCMC__Active__c": True,
    }


@pytest.mark.parametrize(
    ("part", "value", "field"),
    [
        ("street", ("x" * 256,), "Mailing_Street__c"),
        ("street", ("a", "x" * 256), "Additional_Information"),
        ("city", "京" * 256, "City"),
        ("region", "x" * 101, "State"),
        ("postcode", "1" * 16, "Zip"),
    ],
)
def test_an_address_is_never_cut_where_goods_go(part: str, value: Any, field: str) -> None:
    with pytest.raises(DoesNotFit, match=field) as caught:
        address_fields(Address(country="DE", **{part: value}), "001")
    assert (value[-1] * 10)[:10] not in str(caught.value)


@given(st.text(max_size=60), st.text(max_size=60))
def test_an_external_id_fits_and_tells_keys_apart(one: str, other: str) -> None:
    ids = [external_id(one), external_id(one, "line"), external_id(other + "x" * 400)]
    assert all(re.fullmatch(r"HF[A-Z2-7]{30}", id) for id in ids)
    assert len(set(ids)) == 3
    assert external_id(one) == ids[0]


def test_an_external_id_never_changes() -> None:
    # Entries that are in the books already are found by it.
    assert external_id("de:1001:pi_1") == "HF35YLSFIBITA6N3UCOIDG5TSN6FWZAK"


def test_a_document_is_dated_by_the_merchants_clock() -> None:
    late = datetime(2026, 12, 31, 23, 30, tzinfo=UTC)
    assert mapping.local_date(late, "UTC") == "2026-12-31"
    assert mapping.local_date(late, "Europe/Berlin") == "2027-01-01"


def test_shipping_without_a_price_is_no_line() -> None:
    free = Shipping(title="Free", amount=Money.zero("EUR"), tax=Money.zero("EUR"))
    assert not [row for row in erp_order(full_order(shipping=free), ITEMS).lines if "shipping" in row.key]
