"""An order of the demo is at its end when its goods are, and no wait outlives an order that cannot go on."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from cli.api import Api, Place
from cli.demo.books import Books, Sandbox
from cli.demo.buyers import Buyers
from cli.demo.command import verdict_of
from cli.demo.course import Course
from cli.demo.orders import Fate, plan_orders
from cli.demo.play import Play

PLANNED = plan_orders(1, 1, run="r", now=datetime(2026, 11, 22, tzinfo=UTC))[0]
assert PLANNED.order is not None
KEY = PLANNED.order.key


@pytest.mark.parametrize(
    ("course", "standing", "settled"),
    [
        (Course(PLANNED, key=KEY, stage="billing"), "billing", False),
        (Course(PLANNED, key=KEY, stage="completed"), "completed", False),
        (Course(PLANNED, key=KEY, stage="completed", goods={"state": "dispatched"}), "dispatched", False),
        (Course(PLANNED, key=KEY, stage="completed", goods={"state": "delivered", "ended": True}), "delivered", True),
        (Course(PLANNED, key=KEY, stage="expired"), "expired", True),
        (Course(PLANNED, key=KEY, stage="completed", goods={"state": "booked"}, why_parked=["?"]), "parked", True),
        (Course(PLANNED, key=KEY, stage="completed", goods={"state": "booked"}, trouble="no stock"), "booked", True),
        (Course(replace(PLANNED, fate=Fate.CANCELLED), key=KEY, stage="completed"), "completed", True),
    ],
)
def test_an_order_is_settled_when_its_goods_are(course: Course, standing: str, settled: bool) -> None:
    assert (course.standing, course.settled) == (standing, settled)


async def test_who_waits_for_an_order_hears_when_it_is_parked_instead() -> None:
    course = Course(PLANNED, key=KEY, stage="completed", goods={"state": "booked"})
    waiting = asyncio.create_task(course.until(lambda: course.goods["state"] == "delivered"))
    await asyncio.sleep(0)
    course.why_parked = ["the ERP ships what the shop has not"]
    async with course.looked:
        course.looked.notify_all()
    assert await asyncio.wait_for(waiting, 60) is False


NOWHERE = "http://127.0.0.1:9"


async def test_goods_that_have_not_arrived_at_the_end_of_the_play_are_a_named_problem() -> None:
    play = Play([PLANNED], Api(Place(NOWHERE, "token", "a test")), Sandbox(NOWHERE), Buyers(), print)
    course = play.courses[0]
    course.key, course.stage, course.goods = KEY, "completed", {"state": "dispatched", "ended": False}
    problems = verdict_of(play, Books({})).problems
    assert f"not settled: {KEY} is dispatched" in problems
    assert f"not delivered: Holdfast shows the goods of {KEY} as dispatched" in problems
