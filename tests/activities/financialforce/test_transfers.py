"""A transfer is requested once, for goods that are there, and is seen with its order until it has arrived."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from activities.financialforce.activities import FinancialForce
from activities.financialforce.fulfillment import FinancialForceFulfillment
from activities.financialforce.settings import FulfillmentSettings
from activities.fulfillment import RequestTransfer
from commerce.fulfillment import Portion, State, Transfer
from tests.activities.financialforce.conftest import settings_for
from tests.activities.financialforce.goods_desk import book, goods_order, line_of, look, shown
from tests.activities.financialforce.parked import refused
from tests.sandbox_process import Sandbox

KETTLE, MUG, BLANKET = "HF-1005", "HF-1006", "HF-1008"


def transfer(order_key: str, key: str, *portions: tuple[str, str, str], **changes: Any) -> RequestTransfer:
    """`portions` are line, SKU and quantity, from Basel to Hamburg."""
    asked = tuple(Portion(line=line, sku=sku, quantity=Decimal(quantity)) for line, sku, quantity in portions)
    fields = {
        "key": f"{order_key}:{key}",
        "order_key": order_key,
        "source": "Basel",
        "destination": "Hamburg",
        "portions": asked,
        "needed_by": datetime(2026, 12, 1, 12, tzinfo=UTC),
        "reason": "the buyer waits",
    }
    return RequestTransfer(**(fields | changes))


async def requests(erp: FinancialForce, key: str) -> list[dict[str, Any]]:
    """Lines of the requests under this key."""
    return await erp.client.query(
        "SELECT SCMC__Transfer_Request__r.Name, SCMC__Transfer_Request__r.Transfer_Reason__c, SCMC__Quantity__c "
        f"FROM SCMC__Transfer_Request_Line__c WHERE SCMC__Transfer_Request__r.Transfer_Key__c = '{key}'",
        tried="read the requests",
    )


async def test_a_transfer_shows_with_its_order_until_its_arrival_releases_it(
    org: Sandbox, erp: FinancialForce, goods: FinancialForceFulfillment
) -> None:
    org.act("salesforce", "change-stock", sku=KETTLE, quantity=0)
    (hamburg,) = await erp.client.query("SELECT Id FROM SCMC__Warehouse__c WHERE Name = 'Hamburg'", tried="look")
    key = await book(erp, org, goods_order("move-1", (KETTLE, "3")), approve=False)
    (order,) = await erp.client.query(
        f"SELECT Id FROM SCMC__Sales_Order__c WHERE Magento_Order_Id__c = '{key}'", tried="look"
    )
    await erp.client.update("SCMC__Sales_Order__c", order["Id"], {"SCMC__Warehouse__c": hamburg["Id"]}, tried="move")
    org.act("salesforce", "approve", order=key)
    org.act("salesforce", "allocate", order=key)
    assert (await line_of(goods, key)).state is State.BACK_ORDERED

    task = transfer(key, "t-1", ("1", KETTLE, "3"))
    made = await goods.request_transfer(task)
    assert (made.source, made.destination, made.done, made.expected_on) == (
        "Basel",
        "Hamburg",
        False,
        date(2026, 12, 1),
    )
    assert (await look(goods, key)).transfers == (made,)
    org.act("salesforce", "transfer", request=made.number, arrive=False)
    assert not (await look(goods, key)).transfers[0].done
    org.act("salesforce", "receive-transfer", request=made.number)
    reading = await look(goods, key)
    assert (reading.transfers[0].done, reading.lines[0].state) == (True, State.ALLOCATED)


async def test_the_same_key_is_one_request(org: Sandbox, erp: FinancialForce, goods: FinancialForceFulfillment) -> None:
    task = transfer("de:same-1", "t-1", ("1", MUG, "2"), ("2", BLANKET, "1"))
    first, second = [await goods.request_transfer(task) for _ in range(2)]
    assert first == second
    rows = await requests(erp, task.key)
    assert sorted(row["SCMC__Quantity__c"] for row in rows) == [1, 2]
    assert {row["SCMC__Transfer_Request__r"]["Transfer_Reason__c"] for row in rows} == {"the buyer waits"}
    other = task.model_copy(update={"portions": task.portions[:1]})
    case = await refused(goods.request_transfer(other), "NeedsPerson")
    assert "differs: goods" in case["came_back"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda task: {"source": "Bremen"}, "Bremen has not enough"),
        (lambda task: {"destination": "Bremen"}, "no active warehouse Bremen"),
        (lambda task: {"destination": task.source}, "both Basel"),
        (lambda task: {"portions": ()}, "no goods"),
        (lambda task: {"portions": task.portions * 2}, "more than once"),
        (
            lambda task: {"portions": (Portion(line="1", sku=MUG, quantity=Decimal(201)),)},
            f"201 of {MUG} are asked for, 198 are free",
        ),
        (
            lambda task: {"portions": (Portion(line="1", sku="HF-404", quantity=Decimal(1)),)},
            "no active item HF-404",
        ),
    ],
)
async def test_what_cannot_be_moved_asks_a_person_and_writes_nothing(
    erp: FinancialForce,
    goods: FinancialForceFulfillment,
    org: Sandbox,
    change: Callable[[RequestTransfer], dict[str, Any]],
    said: str,
) -> None:
    org.act("salesforce", "change-stock", sku=MUG, quantity=198, warehouse="Basel")
    task = transfer("de:wrong-1", "t-1", ("1", MUG, "2"))
    task = task.model_copy(update=change(task))
    case = await refused(goods.request_transfer(task), "NeedsPerson")
    assert said in case["came_back"]
    assert await requests(erp, task.key) == []


async def test_an_org_without_transfers_is_neither_asked_nor_written(org: Sandbox, erp: FinancialForce) -> None:
    settings = settings_for(org, fulfillment=FulfillmentSettings(transfers=False))
    goods = FinancialForceFulfillment(settings, system="ff-de", client=erp.client)
    key = await book(erp, org, goods_order("none-1", (MUG, "1")))
    assert (await look(goods, key)).transfers == ()
    await refused(goods.request_transfer(transfer(key, "t-1", ("1", MUG, "1"))), "NeedsPerson")


async def test_a_request_by_hand_that_names_the_order_is_followed(
    org: Sandbox, erp: FinancialForce, goods: FinancialForceFulfillment
) -> None:
    key = await book(erp, org, goods_order("hand-1", (MUG, "2"), (BLANKET, "1")))
    task = transfer(key, "t-1", ("2", BLANKET, "1"))
    await goods.request_transfer(task)
    (line,) = await erp.client.query(
        f"SELECT Id FROM SCMC__Transfer_Request_Line__c WHERE Transfer_Line_Key__c = '{task.key}:2'", tried="look"
    )
    body = {"Transfer_Line_Key__c": None}
    await erp.client.update("SCMC__Transfer_Request_Line__c", line["Id"], body, tried="as people write it")
    (found,) = (await look(goods, key)).transfers
    assert [shown(portion, "line", "sku", "quantity") for portion in found.portions] == [("2", BLANKET, 1)]


@pytest.mark.parametrize("lost", ["lose-reply", "cut-request"])
async def test_after_a_lost_reply_the_repeat_leaves_one_request(
    org: Sandbox, erp: FinancialForce, goods: FinancialForceFulfillment, lost: str
) -> None:
    org.faults("salesforce", {"kind": lost, "times": 1, "match": {"path": "/composite/graph"}})
    task = transfer(f"de:lost-{lost}", "t-1", ("1", MUG, "2"))
    await refused(goods.request_transfer(task), "OutcomeUnknown")
    made = await goods.request_transfer(task)
    assert isinstance(made, Transfer)
    assert len(await requests(erp, task.key)) == 1
