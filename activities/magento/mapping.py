"""A shop's order in the shared language, and our words in the shop's bodies. Pure functions.

How the shop's totals become ours: a row's `row_total` is without tax and before discounts, its `tax_amount` is the tax
after discounts. Where the shop takes discounts off prices with tax, `discount_amount` holds tax too, and
`discount_tax_compensation_amount` says how much; a discount here is without tax, so the compensation is taken off it.
grand_total = subtotal + shipping + tax + compensation - discount then holds term by term.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Literal

from pydantic import ValidationError

from activities.magento.client import StoreView
from activities.magento.fields import Unmappable, at_path, flag, group, moment, money, number, rows, text, whole
from activities.magento.payments import payments_of
from activities.magento.settings import MagentoSettings
from commerce.money import Money, decimals_of, total
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
    Shipping,
    Tax,
)
from commerce.text import Limit, Unit, require, shorten

# Widths of the shop's own columns (sales_order, sales_order_status_history).
EXT_ORDER_ID = Limit(field="ext_order_id", size=32)
COMMENT = Limit(field="comment", size=65_535, unit=Unit.BYTES)

Kind = Literal["simple", "virtual", "configurable", "bundle", "gift_card", "other"]
KINDS: dict[str, Kind] = {
    "simple": "simple",
    "grouped": "simple",
    "virtual": "virtual",
    "downloadable": "virtual",
    "configurable": "configurable",
    "bundle": "bundle",
    "giftcard": "gift_card",
}

# What the mapping reads, and no more: no addresses of visitors, no birthdays.
_ITEM = (
    "item_id,parent_item_id,product_type,sku,name,qty_ordered,qty_canceled,price,row_total,tax_amount,tax_percent,discount_amount,"
    "discount_tax_compensation_amount,weee_tax_applied_row_amount"
)
_FIELDS = (
    "entity_id,increment_id,store_id,state,status,created_at,updated_at,quote_id,ext_customer_id,"
    "original_increment_id,relation_parent_real_id,relation_child_real_id,customer_id,customer_is_guest,customer_email,customer_firstname,"
    "customer_middlename,customer_lastname,customer_taxvat,customer_group_id,customer_note,order_currency_code,"
    "base_currency_code,base_to_order_rate,grand_total,base_grand_total,total_canceled,discount_amount,discount_description,"
    "coupon_code,shipping_amount,shipping_tax_amount,shipping_description,shipping_discount_amount,"
    "shipping_discount_tax_compensation_amount,is_virtual"
)
_PAYMENT = "payment[method,po_number,amount_paid,last_trans_id]"


def order_fields(settings: MagentoSettings) -> str:
    """The `fields` of one order that the mapping needs."""
    paths = [*settings.attributes.values()]
    paths += [path for extra in settings.extra_totals for path in (extra.field, extra.tax_field)]
    known = {*_FIELDS.split(","), "items", "billing_address", "payment", "extension_attributes", ""}
    more = sorted({path.split(".")[0] for path in paths} | {"custom_attributes"})
    own = ",".join(name for name in more if name not in known)
    return f"{_FIELDS},items[{_ITEM}],billing_address,{_PAYMENT},extension_attributes,{own}"


def to_order(entity: Mapping[str, Any], view: StoreView, settings: MagentoSettings) -> Order:
    """The order. Raises Unmappable when a part is missing or odd; a total that does not add up is left to be seen."""
    try:
        return _order(entity, view, settings)
    except ValidationError as err:
        # Without the inputs: they are the buyer's.
        parts = [f"{'.'.join(str(at) for at in e['loc']) or e['type']}: {e['msg']}" for e in err.errors()]
        raise Unmappable("; ".join(parts)) from err


def _order(entity: Mapping[str, Any], view: StoreView, settings: MagentoSettings) -> Order:
    currency = known_currency(entity, "order_currency_code")
    base_currency = known_currency(entity, "base_currency_code") if text(entity, "base_currency_code") else ""
    extension = group(entity, "extension_attributes")
    grand_total = money(entity, "grand_total", currency)
    lines = lines_of(entity, currency)
    charges = [_charge(entity, extra.field, extra.tax_field, currency) for extra in settings.extra_totals]
    extras = [(extra, *charge) for extra, charge in zip(settings.extra_totals, charges, strict=True) if charge[0]]
    fees = [
        Fee(code=extra.code, title=extra.title, amount=amount, tax=tax)
        for extra, amount, tax in extras
        if extra.kind == "fee"
    ]
    duties = [
        Duty(code=extra.code, title=extra.title, amount=amount) for extra, amount, _ in extras if extra.kind == "duty"
    ]
    cards = [GiftCard(code=extra.code, amount=amount) for extra, amount, _ in extras if extra.kind == "gift_card"]
    balance = money(extension, "customer_balance_amount", currency)
    return Order(
        store=view.code,
        number=text(entity, "increment_id"),
        shop_id=text(entity, "entity_id"),
        replaces=text(entity, "relation_parent_real_id"),
        placed_at=moment(entity, "created_at"),
        currency=currency,
        base_currency=base_currency,
        base_rate=number(entity, "base_to_order_rate") or Decimal(1),
        base_total=money(entity, "base_grand_total", base_currency) if base_currency else None,
        total=grand_total,
        customer=_customer(entity, extension),
        billing=_address(group(entity, "billing_address"), "billing_address"),
        delivery=_delivery(entity, extension),
        lines=tuple(lines),
        shipping=_shipping(entity, extension, currency),
        fees=(*_fees(entity, extension, currency), *fees),
        taxes=tuple(
            Tax(
                code=text(tax, "code") or "tax",
                title=text(tax, "title"),
                percent=number(tax, "percent"),
                amount=money(tax, "amount", currency),
            )
            for tax in rows(extension, "applied_taxes")
        ),
        duties=tuple(duties),
        discounts=tuple(discounts_of(entity, currency)),
        gift_cards=(*_gift_cards(extension, currency), *cards),
        store_credit=balance or None,
        payments=payments_of(entity, grand_total, settings),
        language=view.locale.partition("_")[0] or "en",
        note=text(entity, "customer_note"),
        attributes=_attributes(entity, extension, settings),
    )


def known_currency(entity: Mapping[str, Any], name: str) -> str:
    """A currency code that ISO 4217 knows. Raises Unmappable."""
    code = text(entity, name)
    try:
        decimals_of(code)
    except ValueError as err:
        raise Unmappable(f"{name}: {err}") from err
    return code


# ---- rows ------------------------------------------------------------------------------------------------------------


def lines_of(entity: Mapping[str, Any], currency: str) -> list[Line]:
    """One line for each row; money only where the shop counts it.

    A configurable carries its price, its variant's row none. A bundle with a fixed price carries it; one with a dynamic
    price repeats the sum of its parts, so that the parts carry it.
    """
    items = rows(entity, "items")
    unpriced = _unpriced(items)
    found = []
    for item in items:
        item_id = text(item, "item_id")
        counts = item_id not in unpriced
        zero = Money.zero(currency)
        percent = number(item, "tax_percent")
        found.append(
            Line(
                id=item_id,
                sku=text(item, "sku"),
                name=text(item, "name") or text(item, "sku"),
                quantity=number(item, "qty_ordered"),
                unit_price=money(item, "price", currency) if counts else zero,
                total=money(item, "row_total", currency) if counts else zero,
                tax=money(item, "tax_amount", currency) if counts else zero,
                tax_percent=percent,
                kind=KINDS.get(text(item, "product_type") or "simple", "other"),
                parent=text(item, "parent_item_id") or None,
            )
        )
    return found


def _unpriced(items: list[Mapping[str, Any]]) -> set[str]:
    """Ids of the rows whose amounts another row carries."""
    kinds = {text(item, "item_id"): text(item, "product_type") for item in items}
    found = set()
    for item in items:
        parent = text(item, "parent_item_id")
        if kinds.get(parent) == "configurable":
            found.add(text(item, "item_id"))
        elif kinds.get(parent) == "bundle" and number(item, "row_total"):
            found.add(parent)
    return found


def discounts_of(entity: Mapping[str, Any], currency: str) -> list[Discount]:
    """Discounts of rows and of shipping; what the order shows beyond them is a discount of the order."""
    items = rows(entity, "items")
    unpriced = _unpriced(items)
    code, title = text(entity, "coupon_code"), text(entity, "discount_description")
    found: list[Discount] = []
    shown = Money.zero(currency)
    for item in items:
        if text(item, "item_id") in unpriced:
            continue
        gross = money(item, "discount_amount", currency)
        shown += gross
        net = gross - money(item, "discount_tax_compensation_amount", currency)
        if net:
            line = text(item, "item_id")
            found.append(Discount(level=DiscountLevel.LINE, amount=net, code=code, title=title, line=line))
    gross = money(entity, "shipping_discount_amount", currency)
    shown += gross
    net = gross - money(entity, "shipping_discount_tax_compensation_amount", currency)
    if net:
        found.append(Discount(level=DiscountLevel.SHIPPING, amount=net, code=code, title=title))
    # The shop shows the order's discount as a negative amount.
    rest = -money(entity, "discount_amount", currency) - shown
    if rest.minor > 0:
        found.append(Discount(level=DiscountLevel.ORDER, amount=rest, code=code, title=title))
    return found


# ---- charges ---------------------------------------------------------------------------------------------------------


def _shipping(entity: Mapping[str, Any], extension: Mapping[str, Any], currency: str) -> Shipping | None:
    assigned = group(next(iter(rows(extension, "shipping_assignments")), {}), "shipping")
    method = text(assigned, "method")
    amount, tax = money(entity, "shipping_amount", currency), money(entity, "shipping_tax_amount", currency)
    if not method and not amount and not tax:
        return None
    taxed = [row for row in rows(extension, "item_applied_taxes") if text(row, "type") == "shipping"]
    percent = sum((number(tax, "percent") for row in taxed for tax in rows(row, "applied_taxes")), Decimal(0))
    title = text(entity, "shipping_description")
    return Shipping(method=method, title=title, amount=amount, tax=tax, tax_percent=percent)


def _fees(entity: Mapping[str, Any], extension: Mapping[str, Any], currency: str) -> list[Fee]:
    """Charges that the shop itself knows: custom fees, gift wrapping, fixed product taxes."""
    zero = Money.zero(currency)
    found = [
        Fee(
            code=text(fee, "custom_fee_code") or "fee",
            title=text(fee, "custom_fee_label"),
            amount=money(fee, "custom_fee_amount", currency),
            tax=zero,
        )
        for fee in rows(extension, "custom_fees")
    ]
    for name in ("gw", "gw_items", "gw_card"):
        amount, tax = money(extension, f"{name}_price", currency), money(extension, f"{name}_tax_amount", currency)
        if amount or tax:
            found.append(Fee(code=name, title="Gift wrapping", amount=amount, tax=tax))
    weee = total((money(i, "weee_tax_applied_row_amount", currency) for i in rows(entity, "items")), currency)
    if weee:
        found.append(Fee(code="weee", title="Fixed product tax", amount=weee, tax=zero))
    return found


def _charge(entity: Mapping[str, Any], path: str, tax_path: str, currency: str) -> tuple[Money, Money]:
    amount = money(at_path(entity, path), path.split(".")[-1], currency)
    tax = money(at_path(entity, tax_path), tax_path.split(".")[-1], currency) if tax_path else Money.zero(currency)
    return amount, tax


def _gift_cards(extension: Mapping[str, Any], currency: str) -> list[GiftCard]:
    cards = [
        GiftCard(code=text(card, "code") or "gift-card", amount=money(card, "amount", currency))
        for card in rows(extension, "gift_cards")
    ]
    used = money(extension, "gift_cards_amount", currency)
    return cards or ([GiftCard(code="gift-card", amount=used)] if used else [])


# ---- people ----------------------------------------------------------------------------------------------------------


def _customer(entity: Mapping[str, Any], extension: Mapping[str, Any]) -> Customer:
    company = group(extension, "company_order_attributes")
    company_number = text(company, "company_id") if whole(company.get("company_id")) else ""
    number_ = text(entity, "customer_id") if whole(entity.get("customer_id")) else ""
    billing = group(entity, "billing_address")
    if company_number:
        kind = CustomerKind.COMPANY
    elif number_ and not flag(entity, "customer_is_guest"):
        kind = CustomerKind.CONSUMER
    else:
        kind = CustomerKind.GUEST
    return Customer(
        kind=kind,
        email=text(entity, "customer_email") or text(billing, "email"),
        number=number_,
        # A guest's name stands in the address only.
        first_name=_given(entity, "customer_") or _given(billing, ""),
        last_name=text(entity, "customer_lastname") or text(billing, "lastname"),
        company_number=company_number,
        company_name=text(company, "company_name") or (text(billing, "company") if company_number else ""),
        vat_id=text(entity, "customer_taxvat") or text(billing, "vat_id"),
        group=text(entity, "customer_group_id"),
    )


def _given(row: Mapping[str, Any], prefix: str) -> str:
    return " ".join(part for part in (text(row, f"{prefix}firstname"), text(row, f"{prefix}middlename")) if part)


def _delivery(entity: Mapping[str, Any], extension: Mapping[str, Any]) -> Address | None:
    assigned = group(next(iter(rows(extension, "shipping_assignments")), {}), "shipping")
    address = group(assigned, "address")
    if not address:
        if flag(entity, "is_virtual"):
            return None
        raise Unmappable("shipping address: the order is not virtual and has none")
    return _address(address, "shipping address")


def _address(row: Mapping[str, Any], what: str) -> Address:
    country = text(row, "country_id")
    if not country:
        raise Unmappable(f"{what}: the country is missing")
    street = row.get("street")
    return Address(
        first_name=_given(row, ""),
        last_name=text(row, "lastname"),
        company=text(row, "company"),
        street=tuple(str(line) for line in street) if isinstance(street, list) else (text(row, "street"),),
        city=text(row, "city"),
        region=text(row, "region") or text(row, "region_code"),
        postcode=text(row, "postcode"),
        country=country,
        phone=text(row, "telephone"),
        vat_id=text(row, "vat_id"),
    )


def _attributes(entity: Mapping[str, Any], extension: Mapping[str, Any], settings: MagentoSettings) -> dict[str, str]:
    found = {
        "quote_id": text(entity, "quote_id"),
        "ext_customer_id": text(entity, "ext_customer_id"),
        "original_order": text(entity, "original_increment_id"),
        "pickup_location": text(extension, "pickup_location_code"),
    }
    for row in rows(entity, "custom_attributes"):
        value = row.get("value")
        joined = ",".join(str(part) for part in value) if isinstance(value, list) else text(row, "value")
        found[text(row, "attribute_code")] = joined
    for name, path in settings.attributes.items():
        found[name] = text(at_path(entity, path), path.split(".")[-1])
    return {name: value for name, value in found.items() if name and value}


# ---- our words in the shop's bodies ----------------------------------------------------------------------------------


def comment_body(order_id: int, comment: str, status: str, *, on_front: bool, told: bool = False) -> dict[str, Any]:
    """Body of POST orders/{id}/comments. The status is always named: without it, older shops blank the order's."""
    history = {
        "comment": shorten(comment, COMMENT),
        "is_customer_notified": int(told),
        "is_visible_on_front": int(on_front),
        "parent_id": order_id,
        "status": status,
    }
    return {"statusHistory": history}


def invoice_body(comment: str, *, notify: bool) -> dict[str, Any]:
    """Body of POST order/{id}/invoice for everything that is open; the money was taken elsewhere."""
    return {
        "capture": False,
        "notify": notify,
        "appendComment": False,
        "comment": {"comment": require(comment, COMMENT), "is_visible_on_front": 0},
    }


def stamp_body(order_id: int, increment_id: str, ext_order_id: str) -> dict[str, Any]:
    """Body of POST orders that sets the foreign key and nothing else. Without increment_id it gets a new number."""
    entity = {
        "entity_id": order_id,
        "increment_id": increment_id,
        "ext_order_id": require(ext_order_id, EXT_ORDER_ID),
    }
    return {"entity": entity}
