"""What a buyer wishes, as priced rows: discounts, taxes and totals that add up in order and base currency."""

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from sandbox.kernel.store import Doc
from sandbox.magento.catalog import effective, find_product
from sandbox.magento.errors import MagentoError
from sandbox.magento.money import ZERO, dec, rounded, spread
from sandbox.magento.shop import Shop

PENDING_METHODS = {
    "juston": "JustOn payment link",
    "checkmo": "Check / Money order",
    "banktransfer": "Bank Transfer Payment",
    "cashondelivery": "Cash On Delivery",
    "purchaseorder": "Purchase Order",
    "companycredit": "Payment on Account",
    "free": "No Payment Information Required",
}
SIDES = ("", "base_")


@dataclass
class Wish:
    """What a buyer orders. Amounts are in the store view's currency; `coupon` has `code` and `percent` or `amount`."""

    store_id: int
    items: list[dict[str, Any]]
    billing: Doc
    shipping: Doc | None = None
    customer: Doc | None = None
    email: str = ""
    company: Doc | None = None
    method: str = "juston"
    captured: bool = True
    po_number: str | None = None
    coupon: dict[str, Any] | None = None
    gift_card: Decimal = ZERO
    gift_card_code: str = "GIFT-0001"
    store_credit: Decimal = ZERO
    reward: Decimal = ZERO
    fees: list[dict[str, Any]] = field(default_factory=list)
    shipping_method: str = "flatrate_flatrate"
    shipping_title: str = "Flat Rate - Fixed"
    shipping_amount: Decimal | None = None
    tax_percent: Decimal | None = None
    state: str | None = None
    status: str | None = None
    quote_id: int | None = None
    extra: Doc = field(default_factory=dict)


@dataclass
class Row:
    """One order row before it has an id. Amounts per side: order currency and base currency."""

    product: Doc
    name: str
    sku: str
    kind: str
    quantity: Decimal
    unit: dict[str, Decimal]
    tax_percent: Decimal
    parent: "Row | None" = None
    dynamic: bool = False
    separately: bool = False
    options: Doc | None = None
    discount: dict[str, Decimal] = field(default_factory=lambda: {"": ZERO, "base_": ZERO})
    tax: dict[str, Decimal] = field(default_factory=lambda: {"": ZERO, "base_": ZERO})

    def total(self, side: str, currency: str) -> Decimal:
        return rounded(self.unit[side] * self.quantity, currency)


class Money:
    """The two currencies of a store view and the rate between them."""

    def __init__(self, view: Doc) -> None:
        self.currency = {"": view["_currency"], "base_": view["_base_currency"]}
        self.rate = dec(view["_base_rate"])
        self.tax_percent = dec(view["_tax_percent"])

    def from_base(self, amount: Decimal) -> dict[str, Decimal]:
        return {
            "": rounded(amount * self.rate, self.currency[""]),
            "base_": rounded(amount, self.currency["base_"]),
        }

    def from_order(self, amount: Decimal) -> dict[str, Decimal]:
        return {
            "": rounded(amount, self.currency[""]),
            "base_": rounded(amount / self.rate, self.currency["base_"]),
        }


NOTHING = {"": ZERO, "base_": ZERO}


def rows_of(shop: Shop, wish: Wish, money: Money) -> list[Row]:
    """The order rows: a variant under its configurable, the parts under their bundle."""
    rows: list[Row] = []
    for wanted in wish.items:
        product = find_product(shop, str(wanted["sku"]))
        if product is None:
            raise MagentoError(404, "The product that was requested doesn't exist. Verify the product and try again.")
        quantity = dec(wanted.get("qty", 1))
        percent = dec(
            wanted.get("tax_percent", wish.tax_percent if wish.tax_percent is not None else money.tax_percent)
        )
        shown = effective(product, wish.store_id)
        if product["type_id"] == "configurable":
            product = _first_variant(shop, product)
        parent = find_product(shop, product["_configurable"]) if product.get("_configurable") else None
        unit = money.from_order(dec(wanted["price"])) if "price" in wanted else money.from_base(_price(product, wish))
        if parent is not None:
            title = effective(parent, wish.store_id)["name"]
            options = {"extension_attributes": {"configurable_item_options": [_variant_option(product)]}}
            head = Row(parent, title, product["sku"], "configurable", quantity, unit, percent, options=options)
            name = effective(product, wish.store_id)["name"]
            rows += [head, Row(product, name, product["sku"], "simple", quantity, NOTHING, ZERO, head)]
        elif product["type_id"] == "bundle":
            rows += _bundle_rows(shop, wish, money, product, quantity, percent, unit)
        else:
            rows.append(Row(product, shown["name"], product["sku"], product["type_id"], quantity, unit, percent))
    return rows


def _price(product: Doc, wish: Wish) -> Decimal:
    return dec(effective(product, wish.store_id).get("price"))


def _first_variant(shop: Shop, product: Doc) -> Doc:
    for each in shop.table("products").where("_configurable", product["sku"]):
        return each
    raise MagentoError(400, "You need to choose options for your item.")


def _variant_option(product: Doc) -> Doc:
    option_id, value = product["_variant"]
    return {"option_id": str(option_id), "option_value": int(value)}


def _bundle_rows(
    shop: Shop, wish: Wish, money: Money, product: Doc, quantity: Decimal, percent: Decimal, unit: dict[str, Decimal]
) -> list[Row]:
    shown = effective(product, wish.store_id)
    dynamic = str(shown.get("price_type", "0")) == "0"
    parts = product["_bundle"]
    options: Doc = {
        "extension_attributes": {
            "bundle_options": [
                {"option_id": part["option_id"], "option_qty": part["qty"], "option_selections": [part["selection_id"]]}
                for part in parts
            ]
        }
    }
    head = Row(
        product,
        shown["name"],
        "-".join([product["sku"], *(part["sku"] for part in parts)]) if dynamic else product["sku"],
        "bundle",
        quantity,
        NOTHING if dynamic else unit,
        ZERO if dynamic else percent,
        dynamic=dynamic,
        separately=str(shown.get("shipment_type", "0")) == "1",
        options=options,
    )
    result = [head]
    for part in parts:
        child = find_product(shop, part["sku"])
        if child is None:
            raise MagentoError(400, "The options you selected are not available.")
        child_unit = money.from_base(_price(child, wish)) if dynamic else NOTHING
        title = effective(child, wish.store_id)["name"]
        child_percent = percent if dynamic else ZERO
        result.append(
            Row(
                child,
                title,
                child["sku"],
                child["type_id"],
                quantity * dec(part["qty"]),
                child_unit,
                child_percent,
                head,
            )
        )
    return result


def price(wish: Wish, rows: list[Row], money: Money) -> dict[str, dict[str, Decimal]]:
    """Discounts and taxes of the rows, and the order's totals per side."""
    result: dict[str, dict[str, Decimal]] = {}
    virtual = is_virtual(rows)
    shipping = (
        NOTHING
        if virtual
        else money.from_order(wish.shipping_amount)
        if wish.shipping_amount is not None
        else money.from_base(Decimal("4.90"))
    )
    percent = wish.tax_percent if wish.tax_percent is not None else money.tax_percent
    credits = {"gift": wish.gift_card, "credit": wish.store_credit, "reward": wish.reward}
    used: dict[str, bool] = {}
    for side in SIDES:
        currency = money.currency[side]
        totals = [row.total(side, currency) for row in rows]
        discounts = _discounts(wish, money, side, totals)
        for row, total, discount in zip(rows, totals, discounts, strict=True):
            row.discount[side] = discount
            row.tax[side] = rounded((total - discount) * row.tax_percent / 100, currency)
        shipping_tax = rounded(shipping[side] * percent / 100, currency)
        fees = sum((money.from_order(dec(fee["amount"]))[side] for fee in wish.fees), ZERO)
        tax = sum((row.tax[side] for row in rows), ZERO) + shipping_tax
        left = sum(totals, ZERO) - sum(discounts, ZERO) + tax + shipping[side] + fees
        sums = {
            "subtotal": sum(totals, ZERO),
            "discount": sum(discounts, ZERO),
            "tax": tax,
            "shipping": shipping[side],
            "shipping_tax": shipping_tax,
            "fees": fees,
        }
        for name, amount in credits.items():
            # What covers the rest in one currency covers it in the other too: no remainder of a converted cent.
            taken = left if used.get(name) else min(money.from_order(amount)[side], left)
            if side == "":
                used[name] = taken == left and amount > 0
            sums[name] = taken
            left -= taken
        sums["grand"] = left
        result[side] = sums
    return result


def _discounts(wish: Wish, money: Money, side: str, totals: list[Decimal]) -> list[Decimal]:
    if not wish.coupon:
        return [ZERO] * len(totals)
    currency = money.currency[side]
    if "percent" in wish.coupon:
        return [rounded(total * dec(wish.coupon["percent"]) / 100, currency) for total in totals]
    amount = min(money.from_order(dec(wish.coupon["amount"]))[side], sum(totals, ZERO))
    return spread(amount, totals, currency)


def is_virtual(rows: list[Row]) -> bool:
    return all(row.product["type_id"] in ("virtual", "downloadable") for row in rows)
