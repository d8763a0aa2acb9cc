"""Stock: which order line holds how much of which position, and what is short.

An allocation is the package's own record, `{line, position, quantity, picked}` with Decimals as text, in the table
`salesforce.scm.allocations` under `{line id}:{position id}`.
"""

from decimal import Decimal

from sandbox.kernel.store import Table
from sandbox.salesforce.org import Org
from sandbox.salesforce.packages.amounts import ZERO, children, dec, stored
from sandbox.salesforce.packages.scm_amounts import ITEM, LINE, POSITION, WAREHOUSE, sellable
from sandbox.salesforce.packages.scm_objects import ERROR_LOG
from sandbox.salesforce.packages.scm_shipping_objects import BACKORDER
from sandbox.salesforce.schema import Doc


def _table(org: Org) -> Table:
    return org.store.table("salesforce.scm.allocations")


def allocations(org: Org, line_id: str) -> list[Doc]:
    return _table(org).where("line", line_id)


def keep(org: Org, allocation: Doc) -> None:
    """Store an allocation; an empty one goes."""
    key = f"{allocation['line']}:{allocation['position']}"
    if Decimal(allocation["quantity"]) == 0:
        _table(org).delete(key)
    else:
        _table(org).put(key, allocation)


def picked(org: Org, line_id: str) -> Decimal:
    """How much of the line lies on pick lists and is not shipped yet."""
    return sum((Decimal(row["picked"]) for row in allocations(org, line_id)), ZERO)


def change_position(org: Org, position_id: str, *, quantity: Decimal = ZERO, allocated: Decimal = ZERO) -> None:
    position = stored(org, POSITION, position_id)
    new = {
        "SCMC__Quantity__c": dec(position, "SCMC__Quantity__c") + quantity,
        "SCMC__Quantity_Allocated__c": dec(position, "SCMC__Quantity_Allocated__c") + allocated,
    }
    org.update(POSITION, position_id, new, system=True)


def positions(org: Org, item_id: str, warehouse_id: str | None) -> list[Doc]:
    """Positions of an item in one warehouse, or in all: the default warehouse first."""
    found = children(org, POSITION, "SCMC__Item_Master__c", item_id)
    if warehouse_id:
        return [row for row in found if row.get("SCMC__Item_Warehouse__c") == warehouse_id]

    def rank(row: Doc) -> bool:
        return not stored(org, WAREHOUSE, row.get("SCMC__Item_Warehouse__c")).get("SCMC__Default__c")

    return sorted(found, key=rank)


def allocate_line(org: Org, line: Doc, warehouse_id: str | None) -> tuple[Decimal, Decimal]:
    """Hold stock for what the line still needs; answers (newly allocated, still short)."""
    needed = (
        dec(line, "SCMC__Quantity__c")
        - dec(line, "SCMC__Quantity_Shipped__c")
        - dec(line, "SCMC__Quantity_Allocated__c")
    )
    taken = ZERO
    for position in positions(org, line["SCMC__Item_Master__c"], warehouse_id):
        part = min(sellable(position), needed - taken)
        if part <= 0:
            continue
        change_position(org, position["Id"], allocated=part)
        held = _table(org).get(f"{line['Id']}:{position['Id']}") or {"quantity": "0", "picked": "0"}
        quantity = str(Decimal(held["quantity"]) + part)
        keep(org, held | {"line": line["Id"], "position": position["Id"], "quantity": quantity})
        taken += part
    _settle_shortage(org, line, warehouse_id, taken, needed - taken)
    return taken, needed - taken


def _settle_shortage(org: Org, line: Doc, warehouse_id: str | None, taken: Decimal, short: Decimal) -> None:
    """Write the line's quantities; a backorder row exists as long as something is short (contract 10.3)."""
    waiting = children(org, BACKORDER, "SCMC__Sales_Order_Line_Item__c", line["Id"])
    refused = bool(stored(org, WAREHOUSE, warehouse_id).get("SCMC__DisableBackorders__c"))
    message = None
    if short > 0 and refused:
        item = stored(org, ITEM, line["SCMC__Item_Master__c"])["Name"]
        message = f"{item}: {short:f} cannot be allocated and the warehouse does not allow backorders."
        log_error(org, "Allocation", line["Id"], message)
    allocated = dec(line, "SCMC__Quantity_Allocated__c") + taken
    new: Doc = {
        "SCMC__Quantity_Allocated__c": allocated,
        "SCMC__Quantity_Backordered__c": ZERO if refused else short,
        "SCMC__Allocate_Message__c": message,
    }
    if allocated > 0 and line["SCMC__Status__c"] == "New":
        new["SCMC__Status__c"] = "Allocated"
    org.update(LINE, line["Id"], new, system=True)
    for row in waiting[1:] if short > 0 and not refused else waiting:
        org.delete(BACKORDER, row["Id"], system=True)
    if short > 0 and not refused:
        if waiting:
            org.update(BACKORDER, waiting[0]["Id"], {"SCMC__Quantity__c": short}, system=True)
        else:
            org.create(
                BACKORDER, {"SCMC__Sales_Order_Line_Item__c": line["Id"], "SCMC__Quantity__c": short}, system=True
            )


def release(org: Org, line_id: str) -> None:
    """Give back what a cancelled line held, and forget its shortage."""
    for row in allocations(org, line_id):
        change_position(org, row["position"], allocated=-Decimal(row["quantity"]))
        keep(org, row | {"quantity": "0"})
    for row in children(org, BACKORDER, "SCMC__Sales_Order_Line_Item__c", line_id):
        org.delete(BACKORDER, row["Id"], system=True)
    cleared = {
        "SCMC__Quantity_Allocated__c": ZERO,
        "SCMC__Quantity_Backordered__c": ZERO,
        "SCMC__Quantity_Packed__c": ZERO,
    }
    org.update(LINE, line_id, cleared, system=True)


def trim(org: Org, line: Doc) -> None:
    """Give back what a line holds, or waits for, beyond what it still needs."""
    needed = dec(line, "SCMC__Quantity__c") - dec(line, "SCMC__Quantity_Shipped__c")
    held = dec(line, "SCMC__Quantity_Allocated__c")
    too_much = max(held - needed, ZERO)
    for row in allocations(org, line["Id"]):
        part = min(too_much, Decimal(row["quantity"]) - Decimal(row["picked"]))
        if part > 0:
            change_position(org, row["position"], allocated=-part)
            keep(org, row | {"quantity": str(Decimal(row["quantity"]) - part)})
            too_much -= part
    kept = min(held, needed)
    short = min(dec(line, "SCMC__Quantity_Backordered__c"), needed - kept)
    for row in children(org, BACKORDER, "SCMC__Sales_Order_Line_Item__c", line["Id"]):
        if short > 0:
            org.update(BACKORDER, row["Id"], {"SCMC__Quantity__c": short}, system=True)
        else:
            org.delete(BACKORDER, row["Id"], system=True)
    new = {"SCMC__Quantity_Allocated__c": kept, "SCMC__Quantity_Backordered__c": short}
    org.update(LINE, line["Id"], new, system=True)


def issue(org: Org, line_id: str, position_id: str, quantity: Decimal) -> None:
    """Goods leave: the position, its allocation and the line's allocation go down together."""
    held = _table(org).get(f"{line_id}:{position_id}")
    if held is None or Decimal(held["picked"]) < quantity:
        raise RuntimeError(f"{line_id} ships {quantity} from {position_id} that it does not hold")
    rest = {name: str(Decimal(held[name]) - quantity) for name in ("quantity", "picked")}
    keep(org, held | rest)
    change_position(org, position_id, quantity=-quantity, allocated=-quantity)


def log_error(org: Org, process: str, record_id: str, message: str) -> None:
    org.create(
        ERROR_LOG,
        {"SCMC__Process__c": process, "SCMC__Record_Id__c": record_id, "SCMC__Error_Message__c": message},
        system=True,
    )
