"""One order's goods in FinancialForce's records and in our words. Pure functions over rows, and the queries for them.

Line ids are the shop's, from the key of the sales order line. A line without such a key (charges, what people added at
the ERP) is not the shop's goods: it is neither counted nor shipped here.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from activities.financialforce.mapping import (
    BOX,
    ORDER,
    ORDER_LINE,
    PICK,
    PICKLIST,
    SHIPPING,
    TRANSFER,
    TRANSFER_LINE,
    number,
)
from activities.financialforce.settings import FieldNames, FinancialForceSettings
from activities.salesforce.feed import at_path, stamp_of
from activities.salesforce.soql import in_list
from commerce.fulfillment import ZERO, Fulfillment, LineProgress, Parcel, Portion, Shipment, State, Transfer

Row = Mapping[str, Any]
CHARGE = "charge:"
_ORDER = "SCMC__Sales_Order__r"
_LEFT = frozenset({"dispatched", "delivered", "closed"})


class UnknownValue(ValueError):
    """A status that no setting explains."""

    def __init__(self, sobject: str, record: str, field: str, value: Any, setting: str) -> None:
        super().__init__(f"{sobject} {record}: {field} is {value!r}, which is not known")
        self.value, self.setting = value, setting


class Puzzling(ValueError):
    """Records that cannot be what happened; `do_next` says who can tell."""

    def __init__(self, came_back: str, do_next: str) -> None:
        super().__init__(came_back)
        self.do_next = do_next


class Rows(NamedTuple):
    """Everything that the ERP keeps of one order's goods, by the queries of `queries`."""

    lines: list[Row]
    shippings: list[Row]
    boxes: list[Row]
    picks: list[Row]
    transfers: list[Row]


def key_paths(names: FieldNames) -> dict[str, str]:
    """Where each kind of row names its order."""
    return {
        "lines": f"{_ORDER}.{names.order_key}",
        "shippings": f"{_ORDER}.{names.order_key}",
        "boxes": f"SCMC__Shipping__r.{_ORDER}.{names.order_key}",
        "picks": f"SCMC__Sales_Order_Line_Item__r.{_ORDER}.{names.order_key}",
        "transfers": f"SCMC__Transfer_Request__r.{names.transfer_order}",
    }


def columns(settings: FinancialForceSettings) -> dict[str, tuple[str, tuple[str, ...]]]:
    """Object and columns of each kind of row; `SystemModstamp` of every record that a reading is made of."""
    names = settings.fields
    line = "SCMC__Quantity"
    found = {
        "lines": (
            ORDER_LINE,
            (
                *("Id", "Name", "SystemModstamp", names.line_key, names.ordered_quantity, names.cancellations),
                *("SCMC__Item_Master__r.Name", "SCMC__Item_Master__r.SCMC__Intangible__c", "SCMC__Status__c"),
                *(f"{line}{part}__c" for part in ("", "_Allocated", "_Backordered", "_Packed", "_Shipped")),
                "SCMC__Customer_Commitment_Date__c",
                *(f"{_ORDER}.{name}" for name in ("Id", "Name", "SCMC__Status__c", "SystemModstamp")),
                f"{_ORDER}.SCMC__Warehouse__r.Name",
            ),
        ),
        "shippings": (
            SHIPPING,
            (
                *("Id", "Name", "SystemModstamp", "SCMC__Status__c", "SCMC__Picklist__c", "SCMC__Carrier__c"),
                *("SCMC__Carrier_Service__c", "SCMC__Carrier_Tracking_Number__c", "SCMC__Number_of_Boxes__c"),
                *("SCMC__Shipment_Date__c", "SCMC__Shipment_Date_Time__c"),
            ),
        ),
        "boxes": (BOX, ("Id", "Name", "SystemModstamp", "SCMC__Shipping__c", "SCMC__Box_Tracking_Number__c")),
        "picks": (
            PICK,
            (
                *("Id", "Name", "SystemModstamp", "SCMC__Status__c", "SCMC__Quantity__c", "SCMC__Warehouse__c"),
                *("SCMC__Sales_Order_Line_Item__c", "SCMC__Picklist__c", "SCMC__Picklist__r.Name"),
                *("SCMC__Picklist__r.SCMC__Status__c", "SCMC__Picklist__r.SCMC__Shipper__c"),
                *("SCMC__Picklist__r.SystemModstamp", "SCMC__Inventory_Detail__r.SCMC__Item_Warehouse__r.Name"),
            ),
        ),
    }
    if settings.fulfillment.transfers:
        found["transfers"] = (TRANSFER_LINE, transfer_columns(names))
    return found


def transfer_columns(names: FieldNames) -> tuple[str, ...]:
    request = "SCMC__Transfer_Request__r"
    of_request = ("Id", "Name", "SystemModstamp", names.transfer_key, "SCMC__Status__c")
    return (
        *("Id", "SystemModstamp", names.transfer_line_key, "SCMC__Item_Master__r.Name", "SCMC__Quantity__c"),
        *(f"{request}.{name}" for name in of_request),
        f"{request}.SCMC__Requested_Delivery_Date__c",
        f"{request}.SCMC__Source_Warehouse__r.Name",
        f"{request}.SCMC__Destination_Warehouse__r.Name",
    )


def queries(order_keys: Iterable[str], settings: FinancialForceSettings) -> dict[str, str]:
    """SOQL by kind of row for everything of these orders; each row says which order it belongs to."""
    wanted = in_list(order_keys)
    paths = key_paths(settings.fields)
    return {
        kind: f"SELECT {', '.join((*names, paths[kind]))} FROM {sobject} WHERE {paths[kind]} IN {wanted} ORDER BY Id"
        for kind, (sobject, names) in columns(settings).items()
    }


def rows_of(order_key: str, found: Mapping[str, list[dict[str, Any]]], names: FieldNames) -> Rows:
    """One order's rows. The org compares keys without regard to case; ours are different orders."""
    paths = key_paths(names)

    def own(kind: str) -> list[Row]:
        return [row for row in found.get(kind, []) if at_path(row, paths[kind]) == order_key]

    return Rows(own("lines"), own("shippings"), own("boxes"), own("picks"), own("transfers"))


def fulfillment_of(order_key: str, rows: Rows, settings: FinancialForceSettings) -> Fulfillment:
    """The reading that the rows give; `rows.lines` must not be empty. Raises UnknownValue and Puzzling."""
    names, meaning = settings.fields, settings.fulfillment
    header = rows.lines[0][_ORDER]
    order = _meaning(ORDER, header, "SCMC__Status__c", meaning.order_statuses, "order_statuses")
    states = {row["Id"]: _shipment_meaning(row, settings) for row in rows.shippings}
    held = [pick for pick in rows.picks if _is_held(pick, settings)]
    shipping_of = {pick["Id"]: _shipping_of(pick, rows.shippings) for pick in held}
    ids = {row["Id"]: line for row in rows.lines if (line := line_id(row, order_key, names))}
    skus = {row["Id"]: str(at_path(row, "SCMC__Item_Master__r.Name") or "") for row in rows.lines}

    def portions(picks: Iterable[Row]) -> tuple[Portion, ...]:
        totals: dict[str, Decimal] = {}
        for pick in picks:
            line = str(pick["SCMC__Sales_Order_Line_Item__c"])
            if line in ids:
                totals[line] = totals.get(line, ZERO) + number(pick["SCMC__Quantity__c"])
        return tuple(
            Portion(line=ids[line], sku=skus[line], quantity=total) for line, total in totals.items() if total > 0
        )

    def waits(pick: Row) -> bool:
        state = states.get(shipping_of[pick["Id"]] or "")
        return state not in _LEFT and state != "cancelled"

    picked = {portion.line: portion.quantity for portion in portions(pick for pick in held if waits(pick))}
    shipments = []
    for row in rows.shippings:
        mine = [pick for pick in held if shipping_of[pick["Id"]] == row["Id"]]
        boxes = [box for box in rows.boxes if box["SCMC__Shipping__c"] == row["Id"]]
        shipments.append(_shipment(row, states[row["Id"]], boxes, mine, portions(mine), header, settings))
    return Fulfillment(
        order_key=order_key,
        number=header["Name"],
        id=header["Id"],
        cancelled=order == "cancelled",
        closed=order == "closed",
        lines=tuple(
            _line(row, ids[row["Id"]], picked.get(ids[row["Id"]], ZERO), settings)
            for row in rows.lines
            if row["Id"] in ids
        ),
        shipments=tuple(shipments),
        transfers=_transfers(rows, settings, {skus[id_]: line for id_, line in reversed(ids.items())}),
        changed_at=max(_stamps(rows)),
    )


def line_id(row: Row, order_key: str, names: FieldNames) -> str:
    """The id of the line in the shop's order; empty for charges and for what people added."""
    key = str(row.get(names.line_key) or "")
    own, line = f"{order_key}:", key.removeprefix(f"{order_key}:")
    return line if key.startswith(own) and not line.startswith(CHARGE) else ""


def _line(row: Row, line: str, picked: Decimal, settings: FinancialForceSettings) -> LineProgress:
    state = _meaning(ORDER_LINE, row, "SCMC__Status__c", settings.fulfillment.line_statuses, "line_statuses")
    quantity, shipped = number(row["SCMC__Quantity__c"]), number(row["SCMC__Quantity_Shipped__c"])
    kept = shipped if state == "cancelled" else quantity
    ordered = max(number(row[settings.fields.ordered_quantity]), quantity)
    promised = row["SCMC__Customer_Commitment_Date__c"]
    return LineProgress(
        line=line,
        sku=str(at_path(row, "SCMC__Item_Master__r.Name") or ""),
        intangible=at_path(row, "SCMC__Item_Master__r.SCMC__Intangible__c") is True,
        ordered=ordered,
        cancelled=max(ordered - kept, ZERO),
        allocated=number(row["SCMC__Quantity_Allocated__c"]),
        back_ordered=number(row["SCMC__Quantity_Backordered__c"]),
        picked=picked,
        packed=number(row["SCMC__Quantity_Packed__c"]),
        shipped=shipped,
        promised_on=date.fromisoformat(promised) if promised else None,
    )


def _shipment_meaning(row: Row, settings: FinancialForceSettings) -> str:
    return _meaning(SHIPPING, row, "SCMC__Status__c", settings.fulfillment.shipment_statuses, "shipment_statuses")


def _shipment(
    row: Row,
    meaning: str,
    boxes: list[Row],
    picks: list[Row],
    portions: tuple[Portion, ...],
    header: Row,
    settings: FinancialForceSettings,
) -> Shipment:
    parcels = tuple(
        Parcel(number=box["Name"], tracking=(box["SCMC__Box_Tracking_Number__c"] or "").strip()) for box in boxes
    )
    tracking = (row["SCMC__Carrier_Tracking_Number__c"] or "").strip()
    if meaning == "waiting":
        packed = bool(parcels) or number(row["SCMC__Number_of_Boxes__c"]) > 0
        labeled = bool(tracking) or (bool(parcels) and all(parcel.tracking for parcel in parcels))
        state = (State.READY if labeled else State.PACKED) if packed else State.PICKING
    else:
        state = State(meaning)
    return Shipment(
        number=row["Name"],
        id=row["Id"],
        state=state,
        portions=portions,
        source=_source(row, picks, header),
        carrier=row["SCMC__Carrier__c"] or "",
        service=row["SCMC__Carrier_Service__c"] or "",
        tracking=tracking,
        parcels=parcels,
        dispatched_at=_left_at(row, settings.time_zone) if meaning in _LEFT else None,
    )


def _source(row: Row, picks: list[Row], header: Row) -> str:
    """The warehouse that a shipment leaves: that of its stock, else the order's."""
    place = "SCMC__Inventory_Detail__r.SCMC__Item_Warehouse__r.Name"
    names = {str(at_path(pick, place) or pick["SCMC__Warehouse__c"] or "") for pick in picks} - {""}
    if len(names) > 1:
        raise Puzzling(
            f"shipment {row['Name']} leaves from {' and '.join(sorted(names))}",
            "split it, because a shipment in the shop has one source",
        )
    return names.pop() if names else str(at_path(header, "SCMC__Warehouse__r.Name") or "")


def _left_at(row: Row, zone: str) -> datetime | None:
    """When it left the house: the moment, or else the begin of the day in the merchant's zone."""
    if row["SCMC__Shipment_Date_Time__c"]:
        return stamp_of(row["SCMC__Shipment_Date_Time__c"])
    day = row["SCMC__Shipment_Date__c"]
    return datetime.combine(date.fromisoformat(day), time(), ZoneInfo(zone)).astimezone(UTC) if day else None


def _is_held(pick: Row, settings: FinancialForceSettings) -> bool:
    meaning = settings.fulfillment
    detail = _meaning(PICK, pick, "SCMC__Status__c", meaning.pick_statuses, "pick_statuses")
    whole = _meaning(
        PICKLIST, pick["SCMC__Picklist__r"], "SCMC__Status__c", meaning.picklist_statuses, "picklist_statuses"
    )
    return detail != "cancelled" and whole != "cancelled"


def _shipping_of(pick: Row, shippings: Iterable[Row]) -> str | None:
    """Pick list and shipment name each other; either side may be filled first."""
    named = at_path(pick, "SCMC__Picklist__r.SCMC__Shipper__c")
    found = (row["Id"] for row in shippings if row["SCMC__Picklist__c"] == pick["SCMC__Picklist__c"])
    return str(named) if named else next(found, None)


def _transfers(rows: Rows, settings: FinancialForceSettings, line_by_sku: Mapping[str, str]) -> tuple[Transfer, ...]:
    by_request: dict[str, list[Row]] = {}
    for row in rows.transfers:
        by_request.setdefault(row["SCMC__Transfer_Request__r"]["Id"], []).append(row)
    return tuple(transfer_of(lines, settings, line_by_sku) for lines in by_request.values())


def transfer_of(lines: Sequence[Row], settings: FinancialForceSettings, line_by_sku: Mapping[str, str]) -> Transfer:
    """One request from its lines. Lines that people wrote name no order line: their article finds it."""
    names, request = settings.fields, lines[0]["SCMC__Transfer_Request__r"]
    own = f"{request[names.transfer_key]}:"
    found = _meaning(TRANSFER, request, "SCMC__Status__c", settings.fulfillment.transfer_statuses, "transfer_statuses")
    portions = []
    for row in lines:
        sku, key = str(at_path(row, "SCMC__Item_Master__r.Name") or ""), str(row[names.transfer_line_key] or "")
        line = key.removeprefix(own) if key.startswith(own) else line_by_sku.get(sku, "")
        if line and number(row["SCMC__Quantity__c"]) > 0:
            portions.append(Portion(line=line, sku=sku, quantity=number(row["SCMC__Quantity__c"])))
    expected = request["SCMC__Requested_Delivery_Date__c"]
    return Transfer(
        number=request["Name"],
        id=request["Id"],
        source=str(at_path(request, "SCMC__Source_Warehouse__r.Name") or ""),
        destination=str(at_path(request, "SCMC__Destination_Warehouse__r.Name") or ""),
        portions=tuple(portions),
        done=found == "done",
        expected_on=date.fromisoformat(expected) if expected else None,
    )


def _meaning(sobject: str, row: Row, field: str, known: Mapping[str, str], setting: str) -> str:
    value = row[field]
    if value not in known:
        raise UnknownValue(sobject, str(row.get("Name") or row["Id"]), field, value, setting)
    return known[value]


def _stamps(rows: Rows) -> Iterable[datetime]:
    """Of every record that has a part in the reading, also of those that the rows look up to."""
    for row in (row for kind in rows for row in kind):
        for place in ("", f"{_ORDER}.", "SCMC__Picklist__r.", "SCMC__Transfer_Request__r."):
            stamp = at_path(row, f"{place}SystemModstamp")
            if stamp:
                yield stamp_of(stamp)
