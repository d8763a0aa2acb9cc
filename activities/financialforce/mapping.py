"""Orders and money in our words and in FinancialForce's. Pure functions; every amount is kept to the minor unit.

What becomes of an order's rows is a rule of the shared language (`commerce/goods.py`). Shipping, fees, duties and
discounts are lines with items of their own. Gift cards and store credit are payments: they stand in the order data and
not among the lines. Sum of lines + tax = the order's gross total.
"""

import base64
import hashlib
import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any
from zoneinfo import ZoneInfo

from activities.financialforce import limits
from activities.financialforce.settings import ChargeItems, FieldNames
from commerce.goods import goods
from commerce.model import Model
from commerce.money import Money, rounded, total
from commerce.order import Address, Order, content
from commerce.text import DoesNotFit, Limit, measure, require, shorten
from commerce.totals import gross_total, tax_total

ORDER = "SCMC__Sales_Order__c"
ORDER_LINE = "SCMC__Sales_Order_Line_Item__c"
ADDRESS = "SCMC__Customer_Address__c"
SHIPPING = "SCMC__Shipping__c"
BOX = "SCMC__Box__c"
PICK = "SCMC__Pick_list_Detail__c"
PICKLIST = "SCMC__Picklist__c"
TRANSFER = "SCMC__Transfer_Request__c"
TRANSFER_LINE = "SCMC__Transfer_Request_Line__c"
CASH_ENTRY = "c2g__codaCashEntry__c"
CASH_LINE = "c2g__codaCashEntryLineItem__c"


class ErpLine(Model):
    """One line of a sales order. `quantity` times `price`, rounded to the currency, is exactly `total`."""

    key: str
    sku: str
    title: str
    quantity: Decimal
    price: Decimal
    total: Money


class ErpOrder(Model):
    """What the books must show for an order: `lines` and `tax` add up to `gross`."""

    lines: tuple[ErpLine, ...]
    tax: Decimal
    gross: Money


def erp_order(order: Order, items: ChargeItems) -> ErpOrder:
    """The order as FinancialForce keeps it. Raises DoesNotFit where a field has no room for an amount or quantity."""
    lines = [_line(order, row.id, row.sku, row.name, row.quantity, row.total) for row in goods(order)]

    def charge(kind: str, sku: str, title: str, amount: Money) -> None:
        # Line ids hold no colon, so a charge's key is never a line's.
        lines.append(_line(order, f"charge:{kind}", sku, title, Decimal(1), amount))

    if order.shipping is not None and order.shipping.amount:
        charge(
            "shipping",
            items.shipping,
            order.shipping.title or order.shipping.method or "Shipping",
            order.shipping.amount,
        )
    for i, fee in enumerate(order.fees):
        charge(f"fee:{i}", items.fee, fee.title or fee.code, fee.amount)
    for i, duty in enumerate(order.duties):
        charge(f"duty:{i}", items.duty, duty.title or duty.code, duty.amount)
    for i, discount in enumerate(order.discounts):
        charge(f"discount:{i}", items.discount, discount.title or discount.code or "Discount", -discount.amount)
    tax = tax_total(order)
    if not limits.TOTAL_TAX.fits(tax.decimal()):
        charge("tax", items.tax, "Tax", tax)
        tax = Money.zero(order.currency)
    booked = total((line.total for line in lines), order.currency) + tax
    if booked != gross_total(order):
        raise ValueError(
            f"lines and tax of order {order.key} add up to {booked}, its gross total is {gross_total(order)}"
        )
    return ErpOrder(lines=tuple(lines), tax=tax.decimal(), gross=gross_total(order))


def _line(order: Order, id: str, sku: str, title: str, quantity: Decimal, amount: Money) -> ErpLine:
    share = amount.decimal() / quantity
    if abs(share) >= Decimal(10) ** limits.PRICE.left:
        raise DoesNotFit(f"{limits.PRICE.field} takes {limits.PRICE.left} digits, the price of line {id} is {share}")
    price = share.quantize(Decimal("1e-9"), rounding=ROUND_HALF_UP).normalize()
    if rounded(price * quantity, order.currency) != amount:
        raise DoesNotFit(f"{limits.PRICE.field} has 9 decimals: {quantity} x {price} is not {amount} (line {id})")
    return ErpLine(
        key=require(f"{order.key}:{id}", limits.KEY),
        sku=sku,
        title=shorten(title, limits.LINE_TITLE),
        quantity=limits.QUANTITY.require(quantity),
        price=price,
        total=amount,
    )


def order_data(order: Order) -> str:
    """The whole order as compact JSON that reads back as the same order; amounts as text (`129.90 EUR`)."""
    text = json.dumps(_amounts_as_text(content(order)), ensure_ascii=False, separators=(",", ":"))
    return require(text, limits.ORDER_DATA)


def _amounts_as_text(value: Any) -> Any:
    if isinstance(value, dict):
        if set(value) == {"minor", "currency"}:
            return str(Money(minor=value["minor"], currency=value["currency"]))
        return {name: _amounts_as_text(item) for name, item in value.items()}
    return [_amounts_as_text(item) for item in value] if isinstance(value, list) else value


def header_fields(
    order: Order, mapped: ErpOrder, names: FieldNames, *, customer_id: str, currency_id: str, zone: str
) -> dict[str, Any]:
    """The sales order itself, without its external id (that stands in the address) and without lookups to places."""
    purchase_order = next((p.purchase_order for p in order.payments if p.purchase_order), "") or order.number
    return {
        "SCMC__Customer_Account__c": customer_id,
        "SCMC__Currency__c": currency_id,
        "SCMC__Sales_Order_Date__c": local_date(order.placed_at, zone),
        "SCMC__Customer_Purchase_Order__c": require(purchase_order, limits.CUSTOMER_PURCHASE_ORDER),
        "SCMC__Existing_SO_Number__c": require(order.number, limits.EXISTING_SO_NUMBER),
        "SCMC__Total_Tax__c": mapped.tax,
        names.order_data: order_data(order),
    }


def line_fields(line: ErpLine, names: FieldNames, *, item_id: str) -> dict[str, Any]:
    return {
        "SCMC__Item_Master__c": item_id,
        "SCMC__Quantity__c": line.quantity,
        "SCMC__Price__c": line.price,
        names.line_title: line.title,
        names.ordered_quantity: line.quantity,
    }


def address_fields(address: Address, customer_id: str) -> dict[str, Any]:
    """A customer address. The street's first line and the rest have a field each; nothing but the name is shortened."""
    person = " ".join(part for part in (address.first_name.strip(), address.last_name.strip()) if part)
    name = ", ".join(part for part in (address.company.strip(), person) if part)
    street = [line.strip() for line in address.street if line.strip()]
    return {
        "SCMC__Customer_Site__c": customer_id,
        "SCMC__Display_Name__c": shorten(name, limits.ADDRESS_NAME) or None,
        "SCMC__Mailing_Street__c": _whole(street[0], limits.ADDRESS_LINE) if street else None,
        "SCMC__Mailing_Street_Additional_Information__c": _whole(", ".join(street[1:]), limits.ADDRESS_MORE) or None,
        "SCMC__Mailing_City__c": _whole(address.city.strip(), limits.ADDRESS_CITY) or None,
        "SCMC__Mailing_State_Province__c": _whole(address.region.strip(), limits.ADDRESS_REGION) or None,
        "SCMC__Mailing_Zip_Postal_Code__c": _whole(address.postcode.strip(), limits.ADDRESS_POSTCODE) or None,
        "SCMC__Mailing_Country__c": address.country,
        "SCMC__Active__c": True,
    }


def _whole(text: str, limit: Limit) -> str:
    """The text itself when it fits. Where a person lives is not repeated in the message."""
    length = measure(text, limit.unit)
    if length > limit.size:
        raise DoesNotFit(f"{limit.field} takes {limit.size} {limit.unit}, the address has {length}")
    return text


def local_date(at: datetime, zone: str) -> str:
    """The day of an instant in the merchant's zone, as Salesforce writes dates."""
    return at.astimezone(ZoneInfo(zone)).date().isoformat()


def external_id(key: str, part: str = "") -> str:
    """A key of any length in the 32 characters of `c2g__ExternalId__c`: `HF` and 30 base-32 characters of its SHA-256.

    The alphabet has one case only, because the field's uniqueness ignores case. 150 bits leave no room for chance.
    """
    digest = hashlib.sha256(f"{key}|{part}".encode() if part else key.encode()).digest()
    return "HF" + base64.b32encode(digest).decode("ascii")[: limits.EXTERNAL_ID_CHARACTERS - 2]


def order_differences(
    expected: ErpOrder,
    header: Mapping[str, Any],
    lines: Iterable[Mapping[str, Any]],
    names: FieldNames,
    *,
    customer_id: str,
    item_ids: Mapping[str, str],
) -> list[str]:
    """Where the books differ from the order in customer, currency, money or lines; both values named."""
    found: list[str] = []
    currency = expected.gross.currency
    if header.get("SCMC__Customer_Account__c") != customer_id:
        found.append(f"customer: the books have {header.get('SCMC__Customer_Account__c')}, the order has {customer_id}")
    theirs_currency = (header.get("SCMC__Currency__r") or {}).get("Name")
    if theirs_currency != currency:
        found.append(f"currency: the books have {theirs_currency}, the order has {currency}")
    theirs = {str(row.get(names.line_key)): row for row in lines}
    for line in expected.lines:
        row = theirs.pop(line.key, None)
        if row is None:
            found.append(f"line {line.key} ({line.sku}, {line.total}): the books do not have it")
            continue
        quantity, price = number(row.get("SCMC__Quantity__c")), number(row.get("SCMC__Price__c"))
        if row.get("SCMC__Item_Master__c") != item_ids[line.sku]:
            found.append(f"line {line.key}: the books have another item than {line.sku}")
        if quantity != line.quantity:
            found.append(f"line {line.key}: the books have quantity {quantity}, the order has {line.quantity}")
        booked = rounded(quantity * price, currency)
        if booked != line.total:
            found.append(f"line {line.key}: the books have {booked}, the order has {line.total}")
    found += [f"line {key}: the books have it, the order does not" for key in theirs]
    tax = number(header.get("SCMC__Total_Tax__c"))
    if tax != expected.tax:
        found.append(f"tax: the books have {tax} {currency}, the order has {expected.tax} {currency}")
    return found


def number(value: Any) -> Decimal:
    """A number field's value; an empty field counts as zero."""
    return value if isinstance(value, Decimal) else Decimal(0)
