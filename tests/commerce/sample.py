"""Orders for the tests of the shared language: one plain, one with every part, and random ones that add up."""

import copy
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from hypothesis import strategies as st

from commerce.money import decimals_of
from commerce.order import Order

ADDRESS = {
    "first_name": "Zoë",
    "last_name": "Großmann",
    "street": ["Straße 1", "2. Stock"],
    "city": "Köln",
    "postcode": "50667",
    "country": "DE",
}


def plain() -> dict[str, Any]:
    """One line of 2 x 50.00 with 19.00 tax, paid by link: 119.00 EUR."""
    return {
        "store": "de",
        "number": "1001",
        "placed_at": "2026-03-01T10:00:00Z",
        "currency": "EUR",
        "total": "119.00 EUR",
        "customer": {"kind": "guest", "email": "zoe@example.com"},
        "billing": ADDRESS,
        "lines": [
            {
                "id": "1",
                "sku": "LAMP",
                "name": "Lampe „Nordlicht“",
                "quantity": 2,
                "unit_price": "50.00 EUR",
                "total": "100.00 EUR",
                "tax": "19.00 EUR",
                "tax_percent": 19,
            }
        ],
        "payments": [{"method": "link", "amount": "119.00 EUR", "state": "due"}],
    }


def full() -> dict[str, Any]:
    """Every part there is: configurable and bundle rows, charges, discounts of each level, cards, two payments."""
    made = plain()
    zero = {"unit_price": "0.00 EUR", "total": "0.00 EUR", "tax": "0.00 EUR"}
    line = made["lines"][0]
    made["lines"] = [
        line | {"kind": "configurable"},
        {"id": "2", "sku": "LAMP-RED", "name": "Lampe rot", "quantity": 2, "parent": "1", **zero},
        {"id": "3", "sku": "SET", "name": "Set", "quantity": 1, "kind": "bundle", **zero},
        {
            "id": "4",
            "sku": "BULB",
            "name": "Birne",
            "quantity": "3",
            "parent": "3",
            "unit_price": "3.33 EUR",
            "total": "9.99 EUR",
            "tax": "1.90 EUR",
        },
    ]
    made["delivery"] = ADDRESS
    made["shipping"] = {"method": "flat", "title": "Versand", "amount": "5.00 EUR", "tax": "0.95 EUR"}
    made["fees"] = [{"code": "cod", "amount": "2.00 EUR", "tax": "0.38 EUR"}]
    made["duties"] = [{"code": "import", "amount": "4.00 EUR"}]
    made["taxes"] = [{"code": "DE19", "percent": 19, "amount": "22.23 EUR"}]
    made["discounts"] = [
        {"level": "line", "line": "1", "amount": "1.00 EUR"},
        {"level": "order", "code": "SPRING", "amount": "2.00 EUR"},
        {"level": "customer", "amount": "0.50 EUR"},
        {"level": "shipping", "amount": "0.22 EUR"},
    ]
    made["gift_cards"] = [{"code": "CARD-1", "amount": "10.00 EUR"}]
    made["store_credit"] = "5.50 EUR"
    made["base_currency"] = "USD"
    made["base_rate"] = "0.8"
    made["base_total"] = "155.00 USD"
    made["total"] = "124.00 EUR"
    made["payments"] = [
        {"method": "link", "amount": "100.00 EUR", "state": "due"},
        {"method": "card", "amount": "24.00 EUR", "state": "captured", "gateway": "pay", "transaction_id": "T-1"},
    ]
    made["shipment_wishes"] = [{"lines": {"4": 2}}, {"lines": {"4": 1}}]
    return made


def order(data: dict[str, Any] | None = None, **changes: Any) -> Order:
    return Order.model_validate((data or plain()) | changes)


def changed(data: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """The data with another value at `lines.0.sku`; an absent value takes the field away."""
    made = copy.deepcopy(data)
    at: Any = made
    *way, last = [int(part) if part.isdigit() else part for part in path.split(".")]
    for part in way:
        at = at[part]
    if value is MISSING:
        del at[last]
    else:
        at[last] = value
    return made


MISSING = object()


@st.composite
def orders_that_add_up(draw: st.DrawFn) -> dict[str, Any]:
    """Amounts in minor units throughout: what a shop that adds correctly sends."""
    currency = draw(st.sampled_from(["EUR", "USD", "JPY", "KWD", "CHF"]))
    small, large = st.integers(0, 999), st.integers(1, 10_000_000)

    def money(minor: int) -> dict[str, Any]:
        return {"minor": minor, "currency": currency}

    made = plain() | {"currency": currency, "lines": [], "taxes": []}
    gross = tax_sum = 0
    for number in range(draw(st.integers(1, 6))):
        quantity = draw(st.decimals("0.001", "400", places=3))
        price = draw(large)
        net = int((quantity * price).to_integral_value(ROUND_HALF_UP))
        tax = draw(small)
        gross, tax_sum = gross + net + tax, tax_sum + tax
        row = {"id": str(number), "sku": f"S{number}", "name": "Ware 商品", "quantity": str(quantity)}
        made["lines"].append(row | {"unit_price": money(price), "total": money(net), "tax": money(tax)})
    if draw(st.booleans()):
        amount, tax = draw(small), draw(small)
        made["shipping"] = {"amount": money(amount), "tax": money(tax)}
        gross, tax_sum = gross + amount + tax, tax_sum + tax
    fees = [(draw(small), draw(small)) for _ in range(draw(st.integers(0, 2)))]
    made["fees"] = [{"code": "fee", "amount": money(amount), "tax": money(tax)} for amount, tax in fees]
    duties = draw(st.lists(small, max_size=2))
    made["duties"] = [{"code": "duty", "amount": money(amount)} for amount in duties]
    gross += sum(amount + tax for amount, tax in fees) + sum(duties)
    tax_sum += sum(tax for _, tax in fees)
    for name in ("discounts", "gift_cards"):
        off = draw(st.integers(0, gross // 3))
        part = {"level": "order"} if name == "discounts" else {"code": "CARD"}
        made[name] = [part | {"amount": money(off)}] if off else []
        gross -= off
    credit = draw(st.none() | st.integers(0, gross // 3))
    if credit is not None:
        made["store_credit"] = money(credit)
        gross -= credit
    made["taxes"] = [{"code": "A", "amount": money(tax_sum // 2)}, {"code": "B", "amount": money(-(-tax_sum // 2))}]
    made["total"] = money(gross)
    first = draw(st.integers(0, gross))
    made["payments"] = [
        {"method": "card", "amount": money(first), "state": "captured", "transaction_id": "T-1"},
        {"method": "link", "amount": money(gross - first), "state": "due"},
    ]
    if draw(st.booleans()):
        rate = draw(st.decimals("0.01", "200", places=4))
        decimals = decimals_of("USD") - decimals_of(currency)
        base = (Decimal(gross) / rate).scaleb(decimals).to_integral_value(ROUND_HALF_UP)
        if currency != "USD":
            made |= {"base_currency": "USD", "base_rate": str(rate)}
            made["base_total"] = {"minor": int(base), "currency": "USD"}
    return made


def amounts_in(data: dict[str, Any]) -> list[str]:
    """Paths of every amount that takes part in the sums; a unit price is rounded by the shop and does not."""
    found = ["total"]
    found += [f"lines.{i}.{name}" for i in range(len(data["lines"])) for name in ("total", "tax")]
    if "shipping" in data:
        found += ["shipping.amount", "shipping.tax"]
    for name in ("fees", "duties", "taxes", "discounts", "gift_cards", "payments"):
        found += [f"{name}.{i}.amount" for i in range(len(data[name]))]
    found += [f"fees.{i}.tax" for i in range(len(data["fees"]))]
    if "store_credit" in data:
        found.append("store_credit")
    return found
