"""Goods on their way: what is late, following them again, and goods that are brought from another warehouse."""

import re
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Query, Request
from pydantic import Field, PlainValidator, WithJsonSchema

from activities.fulfillment import AskTransfer
from activities.ledger.fulfillment import FulfillmentBook, Late
from api.auth import Approver, Caller, Operator
from api.backing import Backing, Base
from api.body import json_body, read_model
from api.errors import ErrorAnswer, Refusal
from api.examples import TRANSFER_EXAMPLES
from api.orders import Reason, ask_goods
from commerce.fulfillment import Transfer
from commerce.model import Model
from commerce.order import Quantity
from workflows.order_fulfillment_tracking import OrderFulfillmentTracking

router = APIRouter(tags=["goods"])
MOST_MINUTES, MOST_DAYS = 525_600, 3_650


class LateOrders(Model):
    """Oldest first. An order may stand here for more than one reason."""

    late: tuple[Late, ...]


class LateLimits(Model):
    """From when on something is late that nobody promised for a day."""

    write_back_minutes: float = Field(default=30, ge=0, le=MOST_MINUTES)
    delivery_days: float = Field(default=5, ge=0, le=MOST_DAYS)


def _day_or_time(given: object) -> date:
    """A datetime is a date, too. Raises ValueError."""
    if isinstance(given, str) and re.match(r"2\d{3}-", given):  # of a year beyond, no instant can be made everywhere
        try:
            if re.fullmatch(r"\d{4}-\d\d-\d\d", given):
                return date.fromisoformat(given)
            if (at := datetime.fromisoformat(given)).tzinfo is not None:
                return at
        except ValueError:
            pass  # said below
    raise ValueError("write a day, as 2026-12-01, or a time with its zone, as 2026-12-01T12:00+01:00")


DayOrTime = Annotated[date, PlainValidator(_day_or_time), WithJsonSchema({"type": "string"})]


class TransferBody(Model):
    source: str = Field(min_length=1, description="The warehouse that has the goods, by the ERP's name")
    destination: str = Field(min_length=1, description="The warehouse that ships the order")
    lines: dict[str, Quantity] = Field(min_length=1, description="Quantity by line id of the order")
    needed_by: DayOrTime | None = Field(
        default=None,
        description="A day in the zone of the store's ERP, as 2026-12-01, or a time with its zone; not in the past",
    )
    reason: Reason = Field(description="Why; kept with the order")


@router.get("/v1/late", summary="Promised but not shipped, shipped but not written back, dispatched but not delivered")
async def late(
    backing: Base,
    caller: Operator,
    write_back_minutes: Annotated[
        float, Query(ge=0, le=MOST_MINUTES, description="How long a shipment may take to the shop")
    ] = 30,
    delivery_days: Annotated[
        float, Query(ge=0, le=MOST_DAYS, description="How long a parcel may take to the door")
    ] = 5,
) -> LateOrders:
    limits = LateLimits(write_back_minutes=write_back_minutes, delivery_days=delivery_days)
    return LateOrders(late=tuple(await late_orders(backing, caller, limits)))


async def late_orders(backing: Backing, caller: Caller, limits: LateLimits) -> list[Late]:
    """What is late among the orders that the caller may see, oldest first."""
    found = await FulfillmentBook(backing.ledger.engine).late(
        datetime.now(UTC),
        write_back=timedelta(minutes=limits.write_back_minutes),
        delivery=timedelta(days=limits.delivery_days),
    )
    return [one for one in found if caller.sees(one.store)]


class Following(Model):
    order_key: str


@router.post(
    "/v1/orders/{store}/{number}/follow",
    status_code=202,
    summary="Follow an order's goods again: read the ERP, and look for every shipment in the shop",
    responses={409: {"model": ErrorAnswer, "description": "No checkout has handed the order's goods over"}},
)
async def follow(store: str, number: str, backing: Base, caller: Operator) -> Following:
    """What is missing in the shop is written, what is there is left as it is. A run that has ended begins again."""
    caller.require_store(store)
    await follow_again(backing, f"{store}:{number}")
    return Following(order_key=f"{store}:{number}")


async def follow_again(backing: Backing, key: str) -> None:
    """Raises Refusal (409) for an order whose checkout has handed nothing over."""
    if not await FulfillmentBook(backing.ledger.engine).is_handed_over(key):
        raise Refusal(409, "no-goods", f"no checkout has handed over the goods of order {key}; see its state first")
    await (await backing.engine.runs()).follow_goods(key)


@router.post(
    "/v1/orders/{store}/{number}/transfers",
    status_code=201,
    summary="Bring goods of an order from another warehouse",
    responses={409: {"model": ErrorAnswer, "description": "No run follows the order's goods, or nothing is open"}},
    openapi_extra=json_body("TransferBody", TRANSFER_EXAMPLES),
)
async def transfer(store: str, number: str, request: Request, backing: Base, caller: Approver) -> Transfer:
    """The same request again is the same transfer. Its arrival is seen by the order's run, which goes on then."""
    caller.require_store(store)
    return await request_transfer(backing, caller, f"{store}:{number}", await read_model(request, TransferBody))


async def request_transfer(backing: Backing, caller: Caller, key: str, body: TransferBody) -> Transfer:
    """Raises Refusal: 409 where no run follows the goods or it refuses, 503 when the ERP does not answer in time.

    422 where the goods are needed before now.
    """
    needed_by = None if body.needed_by is None else _needed_by(backing, key.partition(":")[0], body.needed_by)
    asked = AskTransfer(by=caller.name, needed_by=needed_by, **body.model_dump(exclude={"needed_by"}))
    made = await ask_goods(backing, key, OrderFulfillmentTracking.transfer, asked)
    if made is None:
        raise Refusal(409, "no-goods", f"no run follows the goods of order {key}")
    return made


def _needed_by(backing: Backing, store: str, given: date) -> datetime:
    """Until when: a day lasts until its end in the ERP's zone. Raises Refusal (422) for what is past."""
    if isinstance(given, datetime):
        until, said = given.astimezone(UTC), f"{given:%Y-%m-%dT%H:%M%z}"
    else:
        backing.require_store(store)
        zone = backing.settings.erp_zone(store)
        until, said = datetime.combine(given, time(23, 59), ZoneInfo(zone)).astimezone(UTC), f"{given} in {zone}"
    if until < datetime.now(UTC):
        raise Refusal(
            422, "invalid", f"needed_by: {said} is in the past; name a day that is still to come", field="needed_by"
        )
    return until
