"""The people of the warehouse and of the carrier: they ship each completed order in its planned way, and deliver it.

They act in their own systems only. What they wait for is that Holdfast shows what they did.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from cli.demo.books import Sandbox
from cli.demo.catalog import SHOPS
from cli.demo.course import Course
from cli.demo.orders import SCARCE, Dispatch
from commerce.fulfillment import State

ERP = "salesforce"
CARRIER = "carrier"
STOCK = {"Hamburg": 1000, "Basel": 200}  # of every article, as the sandbox's demo data set has it


class Warehouse:
    """`tell` hears of what is out of the ordinary. Raises Trouble when the sandbox does not do as it is told."""

    def __init__(self, sandbox: Sandbox, tell: Callable[[str], None]) -> None:
        self._sandbox = sandbox
        self._tell = tell
        self._scarce = asyncio.Lock()  # one order at a time finds the shelf empty

    async def send(self, course: Course) -> None:
        """Wait until the order is completed, then bring its goods to the door, unless it waits for a person."""
        if not await course.until(lambda: course.completed and bool(course.goods)):
            return
        await self._sandbox.act(ERP, "approve", order=course.key)
        way = course.planned.dispatch
        if way is Dispatch.SPLIT:
            await self._deliver(course, await self._ship(course, lines=first_part(course.planned.goods)))
            await self._deliver(course, await self._ship(course))
        elif way is Dispatch.BOXES:
            await self._deliver(course, await self._ship_boxes(course))
        elif way is Dispatch.BACK_ORDERED:
            await self._ship_short(course)
        else:
            await self._deliver(course, await self._ship(course))

    async def _ship(self, course: Course, **arguments: Any) -> list[str]:
        """What is in stock of the order leaves; the tracking numbers."""
        carrier = SHOPS[course.key.partition(":")[0]].carrier
        done = await self._sandbox.act(ERP, "ship", order=course.key, carrier=carrier, **arguments)
        return [number for number in done.get("tracking", ()) if number]

    async def _ship_boxes(self, course: Course) -> list[str]:
        """Each box has a number of its own, and the shipment has none."""
        numbers = [f"BOX-{course.key.replace(':', '-')}-{n}" for n in (1, 2)]
        for do in ("allocate", "pick"):
            await self._sandbox.act(ERP, do, order=course.key)
        await self._sandbox.act(ERP, "pack", order=course.key, tracking=numbers)
        await self._ship(course, tracking=None)
        return numbers

    async def _ship_short(self, course: Course) -> None:
        """The shelf is empty until the buyer was told, and what is there has left."""
        async with self._scarce:
            await self._stock(dict.fromkeys(STOCK, 0))
            try:
                await self._sandbox.act(ERP, "allocate", order=course.key)
                if not await course.until(lambda: course.goods["state"] == State.BACK_ORDERED.value):
                    return
                self._tell(f"order {course.key}: {SCARCE.sku} is out of stock; the rest is shipped meanwhile")
                first = await self._ship(course)
                if not await course.until(lambda: _shown(course.goods, first)):
                    return
            finally:
                await self._stock(STOCK)
            second = await self._ship(course)
            self._tell(f"order {course.key}: {SCARCE.sku} has come and is shipped, too")
        await self._deliver(course, first)
        await self._deliver(course, second)

    async def _stock(self, pieces: Mapping[str, int]) -> None:
        for warehouse, quantity in pieces.items():
            await self._sandbox.act(ERP, "change-stock", sku=SCARCE.sku, warehouse=warehouse, quantity=quantity)

    async def _deliver(self, course: Course, numbers: Sequence[str]) -> None:
        """Parcel by parcel, each when Holdfast shows that the one before has arrived."""
        for number in numbers:
            if not await self._bring(course, number):
                return

    async def _bring(self, course: Course, number: str) -> bool:
        if not await course.until(lambda: _shown(course.goods, [number])):
            return False
        await self._sandbox.act(CARRIER, "deliver", number=number)
        return await course.until(lambda: _arrived(course.goods, number))


def first_part(goods: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What leaves first of an order that ships in two parts: some of one article."""
    sku, quantity = max(goods.items(), key=lambda row: row[1])
    return [{"sku": sku, "quantity": str(max(quantity // 2, 1))}]


def _tracks(goods: Mapping[str, Any]) -> dict[str, tuple[Mapping[str, Any], Mapping[str, Any]]]:
    """By tracking number, the shipment and the track."""
    return {track["number"]: (shipment, track) for shipment in goods["shipments"] for track in shipment["tracks"]}


def _shown(goods: Mapping[str, Any], numbers: Sequence[str]) -> bool:
    """Whether the parcels are in the shop (of an order that lives in one), and the carrier's word of them is known."""
    found = _tracks(goods)
    return all(
        number in found and found[number][1]["said"] and (found[number][0]["written_back"] or not goods["in_shop"])
        for number in numbers
    )


def _arrived(goods: Mapping[str, Any], number: str) -> bool:
    found = _tracks(goods)
    return number in found and bool(found[number][1]["delivered_at"])
