"""Open quantities are cancelled once, and what is in the warehouse's hands or has left is not."""

from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

import pytest

from activities.financialforce.activities import FinancialForce
from activities.financialforce.fulfillment import FinancialForceFulfillment
from activities.fulfillment import CancelLines
from commerce.documents import Undone
from commerce.fulfillment import State, overall, problems
from tests.activities.financialforce.goods_desk import (
    LAMP,
    SHADE,
    book,
    cancel,
    goods_order,
    line_of,
    look,
    only,
    shown,
)
from tests.activities.financialforce.parked import refused
from tests.sandbox_process import Sandbox


async def counts(goods: FinancialForceFulfillment, key: str, id_: str = "1") -> tuple[Any, ...]:
    """Ordered, cancelled, allocated."""
    return shown(await line_of(goods, key, id_), "ordered", "cancelled", "allocated")


async def test_a_part_that_is_open_goes_and_the_rest_ships(
    org: Sandbox, erp: FinancialForce, goods: FinancialForceFulfillment
) -> None:
    key = await book(erp, org, goods_order("cut-1", (LAMP, "5"), (SHADE, "2")))
    org.act("salesforce", "ship", order=key, lines=only(LAMP, 2))
    before = await look(goods, key)
    undone = await goods.cancel_lines(cancel(key, _1="2", _2="2"))
    assert (undone.done, undone.document and undone.document.adopted) == (True, False)
    assert await counts(goods, key, "1") == (5, 2, 1)
    assert await counts(goods, key, "2") == (2, 2, 0)
    org.act("salesforce", "ship", order=key)
    after = await look(goods, key)
    assert problems(before, after) == []
    assert [shown(row, "shipped", "state") for row in after.lines] == [(3, State.DISPATCHED), (0, State.CANCELLED)]


async def test_the_repeat_of_a_cancellation_cancels_nothing_more(
    org: Sandbox, erp: FinancialForce, goods: FinancialForceFulfillment
) -> None:
    key = await book(erp, org, goods_order("cut-2", (LAMP, "5")))
    first, second = [await goods.cancel_lines(cancel(key, _1="2")) for _ in range(2)]
    assert (first.document and first.document.adopted, second.document and second.document.adopted) == (False, True)
    assert await counts(goods, key) == (5, 2, 0)
    await goods.cancel_lines(cancel(key, "c-2", _1="2"))
    assert await counts(goods, key) == (5, 4, 0)
    case = await refused(goods.cancel_lines(cancel(key, _1="1")), "NeedsPerson")
    assert "2 of line 1" in case["came_back"]


async def test_all_that_is_open_ends_the_order(
    org: Sandbox, erp: FinancialForce, goods: FinancialForceFulfillment
) -> None:
    key = await book(erp, org, goods_order("cut-3", (LAMP, "5"), (SHADE, "1")))
    org.act("salesforce", "allocate", order=key)
    await goods.cancel_lines(cancel(key, _1="5", _2="1"))
    reading = await look(goods, key)
    assert overall(reading) is State.CANCELLED
    assert [shown(row, "cancelled", "allocated") for row in reading.lines] == [(5, 0), (1, 0)]
    again = await goods.cancel_lines(cancel(key, "c-2", _1="5"))
    assert (again.done, again.document and again.document.adopted) == (True, True)


async def test_a_cancellation_by_hand_is_read_like_ours(
    org: Sandbox, erp: FinancialForce, goods: FinancialForceFulfillment
) -> None:
    key = await book(erp, org, goods_order("cut-4", (LAMP, "5")))
    (row,) = await erp.client.query(
        f"SELECT Id FROM SCMC__Sales_Order_Line_Item__c WHERE Magento_Line_Id__c = '{key}:1'", tried="find the line"
    )
    body = {"SCMC__Quantity__c": Decimal(2)}
    await erp.client.update("SCMC__Sales_Order_Line_Item__c", row["Id"], body, tried="cut by hand")
    assert await counts(goods, key) == (5, 3, 0)


@pytest.mark.parametrize(
    ("asked", "said"),
    [({"_1": "4"}, "3 of line 1 (HF-1001) are open, 2 have left"), ({"_1": "2"}, "2 of line 1"), ({"_9": "1"}, "9")],
)
async def test_what_is_picked_or_has_left_stays_and_nothing_else_is_touched(
    org: Sandbox, erp: FinancialForce, goods: FinancialForceFulfillment, asked: dict[str, str], said: str
) -> None:
    key = await book(erp, org, goods_order(f"kept-{'-'.join([*asked, *asked.values()])}", (LAMP, "5"), (SHADE, "1")))
    org.act("salesforce", "ship", order=key, lines=only(LAMP, 2))
    org.act("salesforce", "pick", order=key, lines=only(LAMP, 2))
    before = await look(goods, key)
    case = await refused(goods.cancel_lines(cancel(key, **{**asked, "_2": "1"})), "NeedsPerson")
    assert said in case["came_back"]
    assert await look(goods, key) == before


async def test_an_order_that_never_was_has_nothing_to_cancel(goods: FinancialForceFulfillment) -> None:
    assert not (await goods.cancel_lines(cancel("de:never", _1="1"))).done


@pytest.mark.parametrize("lost", ["lose-reply", "cut-request"])
async def test_after_a_lost_reply_the_repeat_leaves_one_cancellation(
    org: Sandbox, erp: FinancialForce, goods: FinancialForceFulfillment, lost: str
) -> None:
    key = await book(erp, org, goods_order(f"cut-{lost}", (LAMP, "5"), (SHADE, "3")))
    org.faults("salesforce", {"kind": lost, "times": 1, "match": {"path": "/composite/graph"}})
    task = cancel(key, _1="2", _2="3")
    await refused(goods.cancel_lines(task), "OutcomeUnknown")
    assert await adopted(goods.cancel_lines, task) is (lost == "lose-reply")
    assert [await counts(goods, key, id_) for id_ in ("1", "2")] == [(5, 2, 0), (3, 3, 0)]


async def adopted(step: Callable[[CancelLines], Awaitable[Undone]], task: CancelLines) -> bool:
    document = (await step(task)).document
    assert document is not None
    return document.adopted
