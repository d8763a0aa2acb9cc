"""A shop's order in the shared language: the shop's arithmetic, its odd shapes, and every script of the world."""

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activities.magento.client import StoreView
from activities.magento.fields import Unmappable, flag, moment, money, number, stamp, whole
from activities.magento.mapping import COMMENT, comment_body, order_fields, stamp_body, to_order
from activities.magento.settings import MagentoSettings
from commerce.money import Money, decimals_of
from commerce.order import CustomerKind, DiscountLevel, Order, PaymentState
from commerce.text import DoesNotFit, measure
from commerce.totals import gross_total, mismatches, tax_total

VIEW = StoreView(1, "de", "de_DE")
ADDRESS = {"firstname": "Jörg", "lastname": "Weiß", "street": ["Weg 1", "Hof"], "city": "Hamburg", "country_id": "DE"}


def settings(**changes: Any) -> MagentoSettings:
    given = {"url": "https://shop.example", "auth": "bearer", "access_token": "t"}
    return MagentoSettings(**{**given, **changes})


def item(item_id: int = 811, **changes: Any) -> dict[str, Any]:
    row = {"item_id": item_id, "product_type": "simple", "sku": "HF-1001", "name": "Leselampe", "qty_ordered": 2}
    row |= {"price": Decimal("39.50"), "row_total": Decimal("79.00"), "tax_amount": Decimal("15.01"), "tax_percent": 19}
    return row | {"discount_amount": 0, "discount_tax_compensation_amount": 0} | changes


def entity(**changes: Any) -> dict[str, Any]:
    shipping = {"method": "flatrate_flatrate", "address": ADDRESS}
    order = {
        "entity_id": "17",
        "increment_id": "000000017",
        "store_id": "1",
        "state": "new",
        "created_at": "2026-11-20 09:10:11",
        "updated_at": "2026-11-20 09:10:12",
        "order_currency_code": "EUR",
        "base_currency_code": "EUR",
        "base_to_order_rate": 1,
        "grand_total": Decimal("94.01"),
        "base_grand_total": Decimal("94.01"),
        "customer_is_guest": 1,
        "customer_email": "joerg@weiss.example",
        "billing_address": ADDRESS,
        "items": [item()],
        "payment": {"method": "juston"},
        "extension_attributes": {"shipping_assignments": [{"shipping": shipping}]},
    }
    return order | changes


def with_extension(order: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return order | {"extension_attributes": order["extension_attributes"] | changes}


def read(order: dict[str, Any], **changes: Any) -> Order:
    return to_order(order, VIEW, settings(**changes))


def test_a_plain_order_keeps_its_numbers_and_its_place() -> None:
    order = read(entity())
    assert (order.key, order.shop_id, order.total) == ("de:000000017", "17", Money(minor=9401, currency="EUR"))
    assert mismatches(order) == []
    assert order.customer.kind is CustomerKind.GUEST
    assert order.customer.last_name == "Weiß"  # a guest's name stands in the address only
    assert order.payments[0].state is PaymentState.DUE


def test_a_discount_on_prices_with_tax_is_split_into_net_and_tax() -> None:
    # 119.00 with tax, 10 % off: the shop shows 11.90 off, 1.90 of it tax, and 17.10 of tax left.
    row = item(qty_ordered=1, price=100, row_total=100, tax_amount="17.10", discount_amount="11.90")
    row |= {"discount_tax_compensation_amount": "1.90"}
    taxes = [{"code": "DE 19", "title": "VAT", "percent": 19, "amount": "17.10"}]
    order = read(
        with_extension(
            entity(items=[row], grand_total="107.10", base_grand_total="107.10", discount_amount="-11.90"),
            applied_taxes=taxes,
        )
    )
    assert mismatches(order) == []
    assert [str(discount.amount) for discount in order.discounts] == ["10.00 EUR"]
    assert str(tax_total(order)) == "17.10 EUR"


def test_a_configurable_counts_once_under_its_variants_number() -> None:
    parent = item(1, product_type="configurable", sku="HF-2000-S")
    child = item(2, parent_item_id=1, sku="HF-2000-S", price=0, row_total=0, tax_amount=0)
    order = read(entity(items=[parent, child]))
    assert [(line.parent, line.total.minor, line.kind) for line in order.lines] == [
        (None, 7900, "configurable"),
        ("1", 0, "simple"),
    ]
    assert mismatches(order) == []


def test_a_configurable_whose_variant_repeats_the_price_counts_once() -> None:
    parent, child = item(1, product_type="configurable"), item(2, parent_item_id="1")
    assert mismatches(read(entity(items=[parent, child]))) == []


def test_a_bundle_counts_where_its_price_is() -> None:
    fixed = [item(1, product_type="bundle"), item(2, parent_item_id=1, price=0, row_total=0, tax_amount=0)]
    dynamic = [
        item(1, product_type="bundle", discount_amount="5.00"),
        item(2, parent_item_id=1, discount_amount="5.00", tax_amount="14.06"),
    ]
    total = Decimal("94.01") - Decimal("0.95") - 5
    assert mismatches(read(entity(items=fixed))) == []
    order = read(entity(items=dynamic, grand_total=total, base_grand_total=total, discount_amount="-5.00"))
    assert mismatches(order) == []
    assert [discount.line for discount in order.discounts] == ["2"]


def test_shipping_fees_cards_and_credit_each_have_their_place() -> None:
    order = entity(
        shipping_amount="5.00", shipping_tax_amount="0.95", shipping_discount_amount="1.00", discount_amount="-1.00",
        shipping_description="DHL", grand_total="84.96", base_grand_total="84.96",
    )  # fmt: skip
    order = with_extension(
        order,
        gift_cards=[{"id": 1, "code": "GC-1", "amount": 10}],
        gift_cards_amount=10,
        customer_balance_amount="6.00",
        gw_price="1.50",
        gw_tax_amount="0.50",
        deposit={"amount": "0.00"},
        item_applied_taxes=[{"type": "shipping", "applied_taxes": [{"percent": 19}]}],
    )
    found = read(order)
    assert mismatches(found) == []
    assert found.shipping is not None
    assert (found.shipping.title, found.shipping.tax_percent) == ("DHL", Decimal(19))
    assert [(d.level, str(d.amount)) for d in found.discounts] == [(DiscountLevel.SHIPPING, "1.00 EUR")]
    assert str(gross_total(found)) == "100.96 EUR"


def test_a_total_of_an_extension_is_seen_until_it_is_configured() -> None:
    order = with_extension(entity(grand_total="97.01", base_grand_total="97.01"), deposit={"sum": "3.00"})
    assert "difference 3.00 EUR" in mismatches(read(order))[0]
    known = [{"field": "extension_attributes.deposit.sum", "code": "deposit"}]
    found = read(order, extra_totals=known)
    assert mismatches(found) == []
    assert [(fee.code, str(fee.amount)) for fee in found.fees] == [("deposit", "3.00 EUR")]


def test_a_company_and_a_registered_consumer_are_told_apart() -> None:
    consumer = read(entity(customer_is_guest="0", customer_id="12", customer_firstname="Ana", customer_middlename="M"))
    assert (consumer.customer.kind, consumer.customer.number) == (CustomerKind.CONSUMER, "12")
    assert consumer.customer.first_name == "Ana M"
    company = {"company_id": 501, "company_name": "Müller & Söhne"}
    buyer = read(with_extension(entity(customer_is_guest=0, customer_id=31), company_order_attributes=company))
    assert (buyer.customer.kind, buyer.customer.company_number) == (CustomerKind.COMPANY, "501")
    assert read(with_extension(entity(), company_order_attributes=[])).customer.kind is CustomerKind.GUEST


def test_payments_of_the_shops_gateways_carry_their_transactions() -> None:
    paid = {"method": "adyen_cc", "amount_paid": "94.01", "last_trans_id": "PSP-1"}
    order = read(entity(payment=paid))
    assert (order.payments[0].state, order.payments[0].transaction_id) == (PaymentState.CAPTURED, "PSP-1")
    parts = [
        {"method": "adyen_cc", "amount": "90.00", "transaction_id": "A"},
        {"method": "paypal", "amount": "4.01", "transaction_id": "B"},
    ]
    info = [{"key": "split_payments", "value": json.dumps(parts)}]
    split = read(with_extension(entity(payment=paid), payment_additional_info=info))
    assert [(p.gateway, str(p.amount)) for p in split.payments] == [("adyen_cc", "90.00 EUR"), ("paypal", "4.01 EUR")]
    assert mismatches(split) == []


def test_an_order_on_account_carries_the_buyers_order_number() -> None:
    order = read(entity(payment={"method": "purchaseorder", "po_number": "PO-9"}))
    assert (order.payments[0].state, order.payments[0].purchase_order) == (PaymentState.ON_ACCOUNT, "PO-9")


def test_an_order_that_gift_cards_paid_needs_no_transaction() -> None:
    cards = with_extension(
        entity(grand_total=0, base_grand_total=0, payment={"method": "free"}), gift_cards_amount="94.01"
    )
    order = read(cards)
    assert mismatches(order) == []
    assert not order.total


@pytest.mark.parametrize(
    ("changes", "part"),
    [
        ({"payment": {"method": "adyen_cc", "amount_paid": 0}}, "adyen_cc"),
        ({"payment": {"method": "adyen_cc", "amount_paid": "94.01"}}, "transaction id"),
        ({"payment": []}, "payment method"),
        ({"order_currency_code": "XXX"}, "order_currency_code"),
        ({"grand_total": "a lot"}, "grand_total"),
        ({"created_at": "yesterday"}, "created_at"),
        ({"increment_id": "0 0"}, "number"),
        ({"items": []}, "lines"),
        ({"items": [item(parent_item_id=99)]}, "parent"),
        ({"items": [item(sku="S" * 65)]}, "sku"),
        ({"extension_attributes": []}, "shipping address"),
        ({"billing_address": {}}, "country"),
        ({"customer_email": "nobody"}, "email"),
    ],
)
def test_what_cannot_be_read_is_said_without_the_buyers_data(changes: dict[str, Any], part: str) -> None:
    with pytest.raises(Unmappable, match=part) as caught:
        read(entity(**changes))
    for private in ("joerg", "Weiß", "nobody", "Hamburg"):
        assert private not in str(caught.value)


def test_a_virtual_order_has_no_delivery() -> None:
    order = read(entity(is_virtual="1", extension_attributes=[]))
    assert (order.delivery, order.shipping) == (None, None)


def test_attributes_are_carried_over_and_asked_for() -> None:
    more = settings(attributes={"channel": "extension_attributes.channel.code", "erp_hint": "erp_hint"})
    order = with_extension(entity(quote_id=5, erp_hint="x"), channel={"code": "ebay"})
    order["custom_attributes"] = [{"attribute_code": "gate", "value": ["1", "2"]}]
    found = to_order(order, VIEW, more)
    assert found.attributes == {"quote_id": "5", "channel": "ebay", "erp_hint": "x", "gate": "1,2"}
    assert order_fields(more).endswith("extension_attributes,custom_attributes,erp_hint")


def test_no_more_of_the_buyer_is_asked_for_than_is_used() -> None:
    for private in ("remote_ip", "x_forwarded_for", "customer_dob", "customer_gender", "cc_last4"):
        assert private not in order_fields(settings())


def test_what_we_write_later_does_not_change_the_orders_fingerprint() -> None:
    later = entity(ext_order_id="SO-1", status="processing", state="processing", updated_at="2026-11-21 00:00:00")
    later["status_histories"] = [{"comment": "x"}]
    assert read(entity()).digest() == read(later).digest()


WORLD = st.text(st.sampled_from("aßé中村花の子Жя🫖👩‍👩‍👧e\u0301ا \u200d"), min_size=1, max_size=60)


@given(name=WORLD.filter(lambda text: bool(text.strip())), note=WORLD)
def test_texts_of_every_script_arrive_unchanged(name: str, note: str) -> None:
    order = read(entity(items=[item(name=name)], customer_note=note))
    assert order.lines[0].name == name.strip()
    assert order.note == note.strip()


@given(
    currency=st.sampled_from(["EUR", "JPY", "KWD", "USD", "CHF"]),
    rows=st.lists(
        st.tuples(st.integers(1, 50), st.integers(0, 10**7), st.integers(0, 10**6), st.integers(0, 10**4)),
        min_size=1,
        max_size=8,
    ),
    shipping=st.integers(0, 10**5),
    compensated=st.booleans(),
)
def test_sums_hold_to_the_minor_unit_in_every_currency(
    currency: str, rows: list[tuple[int, int, int, int]], shipping: int, compensated: bool
) -> None:
    """The shop's own formula for grand_total, with float noise on every amount."""
    decimals = decimals_of(currency)

    def noisy(minor: int) -> Decimal:
        return Decimal(minor).scaleb(-decimals) + Decimal("0.0000000000001")

    items, grand, discount_total = [], shipping, 0
    for i, (quantity, price, tax, off) in enumerate(rows, start=1):
        row_total = quantity * price
        discount = min(off, row_total)
        compensation = discount // 6 if compensated else 0
        grand += row_total + tax + compensation - discount
        discount_total += discount
        amounts = {"price": price, "row_total": row_total, "tax_amount": tax, "discount_amount": discount}
        amounts["discount_tax_compensation_amount"] = compensation
        items.append(item(i, qty_ordered=quantity, **{name: noisy(value) for name, value in amounts.items()}))
    order = read(
        entity(
            items=items,
            order_currency_code=currency,
            base_currency_code=currency,
            grand_total=noisy(grand),
            base_grand_total=noisy(grand),
            shipping_amount=noisy(shipping),
            discount_amount=-noisy(discount_total),
        )
    )
    assert mismatches(order) == []
    assert order.total.minor == grand


@given(WORLD.map(lambda text: text * 2000))
def test_a_comment_for_people_is_cut_to_fit_and_a_key_is_not(text: str) -> None:
    body = comment_body(17, text, "pending", on_front=True)
    assert measure(body["statusHistory"]["comment"], COMMENT.unit) <= COMMENT.size
    with pytest.raises(DoesNotFit):
        stamp_body(17, "000000017", "S" * 33)


@pytest.mark.parametrize(
    ("value", "expected"), [(17, 17), ("17", 17), ("", None), (None, None), (True, None), ("1.5", None)]
)
def test_an_id_is_a_number_or_a_text(value: Any, expected: int | None) -> None:
    assert whole(value) == expected


def test_odd_scalars_are_read_as_meant() -> None:
    row = {"a": "29.949999999999999", "b": Decimal("29.949999999999999"), "c": None, "d": "1", "e": True, "f": 0}
    assert money(row, "a", "EUR") == money(row, "b", "EUR") == Money(minor=2995, currency="EUR")
    assert (number(row, "c"), number(row, "missing")) == (Decimal(0), Decimal(0))
    assert (flag(row, "d"), flag(row, "e"), flag(row, "f")) == (True, True, False)
    assert stamp(moment({"at": "2026-11-20 10:11:12"}, "at")) == "2026-11-20 10:11:12"
    with pytest.raises(Unmappable):
        number({"n": "NaN"}, "n")
