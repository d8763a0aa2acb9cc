"""An order with all that a shop sends. Amounts are in the order currency; tax stands beside an amount, never inside."""

import hashlib
import json
from collections.abc import Iterable, Iterator
from decimal import Decimal
from enum import StrEnum
from itertools import zip_longest
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, StringConstraints, field_validator, model_validator

from commerce.model import Model, UtcDatetime
from commerce.money import Money, decimals_of

Text = Annotated[str, StringConstraints(min_length=1, max_length=2000)]
# Store code and order number become part of workflow ids, URLs and vendor keys: no separators, blanks or controls.
StoreCode = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$")]
OrderNumber = Annotated[str, StringConstraints(pattern=r"^[^\s:/?#%\x00-\x1f\x7f]{1,64}$")]


def _plain(value: Decimal) -> Decimal:
    """1.000 as 1, so that a shop that writes more zeros the second time does not send another order."""
    return Decimal(format(value.normalize(), "f"))


Quantity = Annotated[Decimal, Field(gt=0, max_digits=18, decimal_places=6), AfterValidator(_plain)]
Percent = Annotated[Decimal, Field(ge=0, le=100), AfterValidator(_plain)]
Rate = Annotated[Decimal, Field(gt=0), AfterValidator(_plain)]
CountryCode = Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")]


class Address(Model):
    """A postal address. `street` holds one entry per line."""

    first_name: str = ""
    last_name: str = ""
    company: str = ""
    street: tuple[str, ...] = ()
    city: str = ""
    region: str = ""
    postcode: str = ""
    country: CountryCode
    phone: str = ""
    vat_id: str = ""


class CustomerKind(StrEnum):
    GUEST = "guest"
    CONSUMER = "consumer"
    COMPANY = "company"


class Customer(Model):
    """Who buys. `number` is the shop's customer number, `company_number` the shop's company."""

    kind: CustomerKind
    email: Annotated[str, StringConstraints(pattern=r"^[^@\s]+@[^@\s]+$", max_length=254)]
    number: str = ""
    first_name: str = ""
    last_name: str = ""
    company_number: str = ""
    company_name: str = ""
    vat_id: str = ""
    group: str = ""

    @model_validator(mode="after")
    def _identified(self) -> "Customer":
        if self.kind is CustomerKind.COMPANY and not self.company_number:
            raise ValueError("company_number is missing: a company buyer needs the shop's company number")
        if self.kind is CustomerKind.CONSUMER and not self.number:
            raise ValueError("number is missing: a consumer needs the shop's customer number; else use kind guest")
        return self


class Line(Model):
    """One row. A configurable's or bundle's rows that carry no price have zero amounts and a `parent`."""

    id: Annotated[str, StringConstraints(pattern=r"^[^\s:]{1,64}$")]
    sku: Annotated[str, StringConstraints(min_length=1, max_length=64)]
    name: Text
    quantity: Quantity
    unit_price: Money = Field(description="Price of one, without tax and before discounts")
    total: Money = Field(description="Unit price times quantity, without tax and before discounts")
    tax: Money
    tax_percent: Percent = Decimal(0)
    kind: Literal["simple", "virtual", "configurable", "bundle", "gift_card", "other"] = "simple"
    parent: str | None = Field(default=None, description="id of the configurable's or bundle's row")


class Shipping(Model):
    method: str = ""
    title: str = ""
    amount: Money
    tax: Money
    tax_percent: Percent = Decimal(0)


class Fee(Model):
    """A surcharge (payment fee, deposit, handling)."""

    code: Text
    title: str = ""
    amount: Money
    tax: Money
    tax_percent: Percent = Decimal(0)


class Tax(Model):
    """One tax of the order as the tax service named it. Together they equal the tax of lines, shipping and fees."""

    code: Text
    title: str = ""
    percent: Percent = Decimal(0)
    amount: Money
    transaction_id: str = ""
    document_id: str = ""


class Duty(Model):
    """Customs, duties and import charges collected at checkout."""

    code: Text
    title: str = ""
    amount: Money
    tariff_number: str = ""
    country_of_origin: str = ""


class DiscountLevel(StrEnum):
    LINE = "line"
    ORDER = "order"
    CUSTOMER = "customer"
    SHIPPING = "shipping"


class Discount(Model):
    """Money taken off, as a positive amount without tax. A line discount names its line."""

    level: DiscountLevel
    amount: Money
    code: str = ""
    title: str = ""
    line: str | None = None


class GiftCard(Model):
    code: Text
    amount: Money


class PaymentState(StrEnum):
    DUE = "due"
    CAPTURED = "captured"
    ON_ACCOUNT = "on_account"


class Payment(Model):
    """One payment. `due`: to be paid through the payment link; `captured`: already taken by the shop's own gateway."""

    method: Text
    amount: Money
    state: PaymentState
    gateway: str = ""
    transaction_id: str = ""
    paid_at: UtcDatetime | None = None
    purchase_order: str = ""

    @model_validator(mode="after")
    def _traceable(self) -> "Payment":
        if self.state is PaymentState.CAPTURED and self.amount and not self.transaction_id:
            raise ValueError("transaction_id is missing: a captured payment needs its gateway's transaction id")
        return self


class ShipmentWish(Model):
    """A part of the order that the buyer wants delivered apart."""

    lines: dict[str, Quantity] = Field(description="Quantity by line id")
    address: Address | None = None
    method: str = ""
    not_before: UtcDatetime | None = None


class Channel(Model):
    """The reseller or affiliate that brought the order."""

    kind: Literal["reseller", "affiliate", "marketplace"]
    code: Text
    name: str = ""
    reference: str = ""


class Order(Model):
    """One order as placed in a shop."""

    store: StoreCode
    number: OrderNumber
    shop_id: str = Field(default="", description="The storefront's internal id, where the order lives in a storefront")
    placed_at: UtcDatetime
    currency: str
    base_currency: str = ""
    base_rate: Rate = Field(default=Decimal(1), description="Order currency units for one base currency unit")
    base_total: Money | None = None
    total: Money = Field(description="What the payments must sum up to")
    customer: Customer
    billing: Address
    delivery: Address | None = Field(default=None, description="Shipping address; absent for a virtual order")
    lines: tuple[Line, ...] = Field(min_length=1, max_length=500)
    shipping: Shipping | None = None
    fees: tuple[Fee, ...] = ()
    taxes: tuple[Tax, ...] = ()
    duties: tuple[Duty, ...] = ()
    discounts: tuple[Discount, ...] = ()
    gift_cards: tuple[GiftCard, ...] = ()
    store_credit: Money | None = None
    payments: tuple[Payment, ...] = Field(min_length=1)
    shipment_wishes: tuple[ShipmentWish, ...] = ()
    replaces: OrderNumber | Literal[""] = Field(
        default="",
        description="Number of the order of this store that was changed into this one; it is cancelled as replaced",
    )
    channel: Channel | None = None
    language: str = "en"
    note: str = ""
    attributes: dict[str, str] = Field(default_factory=dict)

    @field_validator("currency")
    @classmethod
    def _known_currency(cls, value: str) -> str:
        decimals_of(value)
        return value

    @field_validator("base_currency")
    @classmethod
    def _known_if_given(cls, value: str) -> str:
        if value:
            decimals_of(value)
        return value

    @model_validator(mode="after")
    def _consistent(self) -> "Order":
        if self.replaces and self.replaces == self.number:
            raise ValueError(f"replaces: {self.replaces!r} is this order itself; name the order that it replaces")
        ids = [line.id for line in self.lines]
        twice = sorted({i for i in ids if ids.count(i) > 1})
        if twice:
            raise ValueError(f"lines: id {', '.join(twice)} is used more than once; give every line its own id")
        for line in self.lines:
            if line.parent is not None and (line.parent not in ids or line.parent == line.id):
                raise ValueError(
                    f"lines: parent {line.parent!r} of line {line.id!r} is not another line of this order; "
                    f"use one of {_named(set(ids) - {line.id})}, or leave it out"
                )
        for i, discount in enumerate(self.discounts):
            if discount.level is DiscountLevel.LINE and discount.line is None:
                raise ValueError(f"discounts[{i}].line: is missing; level 'line' needs one of {_named(ids)}")
            if discount.level is not DiscountLevel.LINE and discount.line is not None:
                raise ValueError(
                    f"discounts[{i}].line: {discount.line!r} goes with level 'line' only; this one has level "
                    f"{discount.level.value!r}, leave the line out"
                )
            if discount.line is not None and discount.line not in ids:
                raise ValueError(
                    f"discounts[{i}].line: {discount.line!r} is not a line of this order; use one of {_named(ids)}"
                )
        wished: dict[str, Decimal] = {}
        for i, wish in enumerate(self.shipment_wishes):
            for id_, quantity in wish.lines.items():
                if id_ not in ids:
                    raise ValueError(
                        f"shipment_wishes[{i}].lines: {id_!r} is not a line of this order; use one of {_named(ids)}"
                    )
                wished[id_] = wished.get(id_, Decimal(0)) + quantity
        for line in self.lines:
            if wished.get(line.id, Decimal(0)) > line.quantity:
                raise ValueError(
                    f"shipment_wishes: {wished[line.id]} of line {line.id!r} are asked for; "
                    f"the order has {line.quantity}, ask for no more"
                )
        for path, money in _amounts(self):
            if money.currency != self.currency:
                raise ValueError(
                    f"{path}: {money} is not in the order currency {self.currency}; give every amount in it"
                )
        if self.base_total is not None and self.base_currency and self.base_total.currency != self.base_currency:
            raise ValueError(
                f"base_total: {self.base_total} is not in the base currency {self.base_currency}; give it in that one"
            )
        return self

    @property
    def key(self) -> str:
        """The business key at every target: `{store}:{number}`."""
        return f"{self.store}:{self.number}"

    def digest(self) -> str:
        """A fingerprint of the content, for telling a repeat from another order under the same number."""
        text = json.dumps(content(self), sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()


def content(order: Order) -> dict[str, Any]:
    """The order as plain JSON data, without what a shop may fill in later (its internal id)."""
    return order.model_dump(mode="json", exclude={"shop_id"}, exclude_defaults=True)


def differences(known: dict[str, Any], given: dict[str, Any]) -> list[str]:
    """Where two contents differ, one line each: `lines[0].quantity: known "1", given "2"`."""
    return [f"{at}: known {_short(old)}, given {_short(new)}" for at, old, new in _differences("", known, given)]


def changed_fields(known: dict[str, Any], given: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Where two contents differ: field, value before and value after as JSON, an empty text where there is none."""
    return [(at, _json(old), _json(new)) for at, old, new in _differences("", known, given)]


def _differences(at: str, old: Any, new: Any) -> Iterator[tuple[str, Any, Any]]:
    if old == new:
        return
    if isinstance(old, dict) and isinstance(new, dict):
        for name in sorted(set(old) | set(new)):
            yield from _differences(f"{at}.{name}" if at else name, old.get(name), new.get(name))
    elif isinstance(old, list) and isinstance(new, list):
        for i, (one, other) in enumerate(zip_longest(old, new)):
            yield from _differences(f"{at}[{i}]", one, other)
    else:
        yield at, old, new


def _named(ids: Iterable[str]) -> str:
    shown = sorted(ids)
    return ", ".join(shown[:10]) + (", ..." if len(shown) > 10 else "") if shown else "none"


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True) if value is not None else ""


def _short(value: Any) -> str:
    text = _json(value) or "nothing"
    return text if len(text) <= 80 else text[:77] + "..."


def _amounts(order: Order) -> list[tuple[str, Money]]:
    found: list[tuple[str, Money]] = [("total", order.total)]
    for i, line in enumerate(order.lines):
        found += [(f"lines[{i}].{n}", getattr(line, n)) for n in ("unit_price", "total", "tax")]
    if order.shipping is not None:
        found += [("shipping.amount", order.shipping.amount), ("shipping.tax", order.shipping.tax)]
    for i, fee in enumerate(order.fees):
        found += [(f"fees[{i}].amount", fee.amount), (f"fees[{i}].tax", fee.tax)]
    found += [(f"taxes[{i}].amount", tax.amount) for i, tax in enumerate(order.taxes)]
    found += [(f"duties[{i}].amount", duty.amount) for i, duty in enumerate(order.duties)]
    found += [(f"discounts[{i}].amount", discount.amount) for i, discount in enumerate(order.discounts)]
    found += [(f"gift_cards[{i}].amount", card.amount) for i, card in enumerate(order.gift_cards)]
    if order.store_credit is not None:
        found.append(("store_credit", order.store_credit))
    found += [(f"payments[{i}].amount", payment.amount) for i, payment in enumerate(order.payments)]
    return found
