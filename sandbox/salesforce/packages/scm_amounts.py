"""What orders and stock compute: extended prices, roll-ups, sellable quantities."""

from decimal import Decimal

from sandbox.salesforce.org import Org
from sandbox.salesforce.packages.amounts import ZERO, children, dec, rounded, stored
from sandbox.salesforce.schema import Doc

ORDER = "SCMC__Sales_Order__c"
LINE = "SCMC__Sales_Order_Line_Item__c"
ITEM = "SCMC__Item__c"
POSITION = "SCMC__Inventory_Position__c"
WAREHOUSE = "SCMC__Warehouse__c"


def decimals(org: Org, order: Doc) -> int:
    """Decimals of the order's currency, from its currency master."""
    master = stored(org, "SCMC__Currency_Master__c", order.get("SCMC__Currency__c"))
    return int(dec(master, "SCMC__Number_of_decimals__c")) if master else 2


def lines(org: Org, order: Doc) -> list[Doc]:
    return children(org, LINE, "SCMC__Sales_Order__c", order.get("Id"))


def active(line: Doc) -> bool:
    return line.get("SCMC__Status__c") != "Cancelled"


def extended_price(org: Org, line: Doc) -> Decimal:
    """Quantity times price, rounded to the order currency's decimals."""
    order = stored(org, ORDER, line.get("SCMC__Sales_Order__c"))
    return rounded(dec(line, "SCMC__Quantity__c") * dec(line, "SCMC__Price__c"), decimals(org, order))


def total_value(org: Org, order: Doc) -> Decimal:
    return sum((extended_price(org, line) for line in lines(org, order) if active(line)), ZERO)


def total_open_value(org: Org, order: Doc) -> Decimal:
    """The value of what is neither shipped nor cancelled."""
    places = decimals(org, order)
    return sum(
        (
            rounded(
                (dec(line, "SCMC__Quantity__c") - dec(line, "SCMC__Quantity_Shipped__c")) * dec(line, "SCMC__Price__c"),
                places,
            )
            for line in lines(org, order)
            if active(line)
        ),
        ZERO,
    )


def number_lines(org: Org, order: Doc) -> Decimal:
    return Decimal(len(lines(org, order)))


def number_new_lines(org: Org, order: Doc) -> Decimal:
    return Decimal(sum(line.get("SCMC__Status__c") == "New" for line in lines(org, order)))


def order_total(org: Org, order: Doc) -> Decimal:
    """Lines and tax. A line that was cancelled alone no longer counts; a cancelled order keeps what it was about."""
    counted = [row for row in lines(org, order) if active(row) or order.get("SCMC__Status__c") == "Cancelled"]
    return sum((extended_price(org, row) for row in counted), ZERO) + dec(order, "SCMC__Total_Tax__c")


def warehouse_name(org: Org, position: Doc) -> str | None:
    name = stored(org, WAREHOUSE, position.get("SCMC__Item_Warehouse__c")).get("Name")
    return None if name is None else str(name)


def sellable(position: Doc) -> Decimal:
    """What of a stock position may still be promised."""
    if not position.get("SCMC__Availability__c") or position.get("SCMC__Availability_Code__c") != "In Stock":
        return ZERO
    return dec(position, "SCMC__Quantity__c") - dec(position, "SCMC__Quantity_Allocated__c")
