"""Orders to map and to book: one with everything, and any number of random ones that add up."""

from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

from commerce.money import Money, rounded
from commerce.order import (
    Address,
    Customer,
    CustomerKind,
    Discount,
    DiscountLevel,
    Duty,
    Fee,
    GiftCard,
    Line,
    Order,
    Payment,
    PaymentState,
    Shipping,
)
from commerce.totals import gross_total, prepaid_elsewhere

NAMES = [
    "Leselampe",
    "茶筒 (桜)",
    "Чайник «Самовар»",
    "Mug 🫖",
    "Cafe\u0301 Å",
    'O\'Brien \\ "x"',
    "長い名前" * 90,
    "🫖" * 200,
]
BILLING = Address(
    first_name="Петра", last_name="Müller", street=("Domstraße 1", "Hof 2"), city="Köln", postcode="50667", country="DE"
)


def money(minor: int, currency: str) -> Money:
    return Money(minor=minor, currency=currency)


def paid(fields: dict[str, Any]) -> Order:
    """The order with the total and the one payment that its parts ask for."""
    zero = Money.zero(fields["currency"])
    payment = Payment(method="card", amount=zero, state=PaymentState.DUE)
    draft = Order(**fields, total=zero, payments=(payment,))
    total = gross_total(draft) - prepaid_elsewhere(draft)
    return Order(**fields, total=total, payments=(payment.model_copy(update={"amount": total}),))


def line(currency: str, id: str, sku: str, quantity: str, total: int, **more: Any) -> Line:
    count = Decimal(quantity)
    return Line(
        id=id,
        sku=sku,
        name=more.pop("name", f"Artikel {sku}"),
        quantity=count,
        unit_price=more.pop("unit_price", rounded(money(total, currency).decimal() / count, currency)),
        total=money(total, currency),
        tax=money(more.pop("tax", 0), currency),
        **more,
    )


def full_order(number: str = "1001", currency: str = "EUR", store: str = "de", **changes: Any) -> Order:
    """Every kind of row and charge. Gross total in minor units: 29171."""
    c = currency
    fields: dict[str, Any] = {
        "store": store,
        "number": number,
        "placed_at": "2026-11-20T23:30:00Z",
        "currency": c,
        "customer": Customer(kind=CustomerKind.GUEST, email="petra@example.org"),
        "billing": BILLING,
        "delivery": BILLING.model_copy(update={"street": ("Marktplatz 8",), "company": "株式会社もみじ"}),
        "lines": (
            line(c, "1", "HF-1001", "3", 10000, tax=1900, name="Leselampe Aurora 🫖"),
            line(c, "2", "HF-2000-M", "1", 1990, tax=378, kind="configurable"),
            line(c, "3", "HF-2000-M", "1", 0, parent="2"),
            line(c, "4", "HF-3000", "2", 0, kind="bundle"),
            line(c, "5", "HF-3000-A", "2", 4000, tax=760, parent="4"),
            line(c, "6", "HF-3000-B", "2", 0, parent="4"),
            line(c, "7", "HF-1004", "2.5", 6000, tax=1140, name="茶筒 (桜)"),
        ),
        "shipping": Shipping(method="ups", title="UPS Standard", amount=money(990, c), tax=money(188, c)),
        "fees": (Fee(code="cod", title="Nachnahme", amount=money(500, c), tax=money(95, c)),),
        "duties": (Duty(code="import", title="Zoll", amount=money(1230, c)),),
        "discounts": (
            Discount(level=DiscountLevel.LINE, amount=money(1000, c), line="1", title="Herbst"),
            Discount(level=DiscountLevel.ORDER, amount=money(-1000 + 2000, c), code="SAVE10"),
        ),
        "gift_cards": (GiftCard(code="GC-1", amount=money(2500, c)),),
        "store_credit": money(300, c),
    }
    return paid(fields | changes)


@st.composite
def orders(draw: st.DrawFn) -> Order:
    """Any order that a shop may place: 0, 2 or 3 decimals, any script, every kind of charge."""
    currency = draw(st.sampled_from(["EUR", "JPY", "KWD", "USD"]))
    amounts = st.integers(0, 9_000_000)

    def amount() -> Money:
        return money(draw(amounts), currency)

    lines: list[Line] = []
    for i in range(draw(st.integers(1, 6))):
        quantity = draw(st.integers(1, 200_000)) if draw(st.booleans()) else draw(st.integers(1, 9))
        count = Decimal(quantity).scaleb(-draw(st.sampled_from([0, 0, 1, 4] if quantity > 1000 else [0])))
        kind = draw(st.sampled_from(["simple", "configurable", "bundle", "virtual", "gift_card"]))
        name = draw(st.one_of(st.sampled_from(NAMES), st.text(min_size=1, max_size=40)))
        lines.append(
            line(currency, str(i), f"SKU-{i}", str(count), amount().minor, tax=amount().minor, name=name, kind=kind)
        )
        if kind in ("configurable", "bundle") and draw(st.booleans()):
            priced = draw(st.booleans())
            child = line(currency, f"{i}c", f"SKU-{i}", str(count), amount().minor if priced else 0, parent=str(i))
            lines.append(child)
    charges = st.integers(0, 3)
    fields: dict[str, Any] = {
        "store": "de",
        "number": "1001",
        "placed_at": "2026-11-20T23:30:00Z",
        "currency": currency,
        "customer": Customer(kind=CustomerKind.GUEST, email="petra@example.org"),
        "billing": BILLING,
        "lines": tuple(lines),
        "shipping": draw(st.sampled_from([None, Shipping(amount=amount(), tax=amount())])),
        "fees": tuple(Fee(code=f"f{i}", amount=amount(), tax=amount()) for i in range(draw(charges))),
        "duties": tuple(Duty(code=f"d{i}", amount=amount()) for i in range(draw(charges))),
        "discounts": tuple(Discount(level=DiscountLevel.ORDER, amount=amount()) for _ in range(draw(charges))),
        "gift_cards": tuple(GiftCard(code=f"g{i}", amount=amount()) for i in range(draw(charges))),
    }
    return paid(fields)
