"""Cancelled quantities and transfer requests lose their answers a hundred times: each is written once."""

from collections import defaultdict
from collections.abc import AsyncIterator
from decimal import Decimal

import pytest

from activities.financialforce.activities import FinancialForce
from activities.financialforce.fulfillment import FinancialForceFulfillment
from commerce.fulfillment import ZERO
from tests.activities.financialforce.conftest import settings_for
from tests.activities.financialforce.goods_desk import LAMP, SHADE, book, cancel, goods_order, look
from tests.activities.financialforce.test_transfers import transfer
from tests.once.rig import Found, Path, Trouble, abreast, cases, differences, troubled
from tests.once.table import CANCEL_LINES, REQUEST_TRANSFER
from tests.sandbox_process import Sandbox


@pytest.fixture(scope="module")
async def erp(vendors: Sandbox) -> AsyncIterator[FinancialForce]:
    made = FinancialForce(settings_for(vendors), system="ff-de")
    yield made
    await made.close()


@pytest.fixture
def goods(vendors: Sandbox, erp: FinancialForce) -> FinancialForceFulfillment:
    return FinancialForceFulfillment(settings_for(vendors), system="ff-de", client=erp.client)


@pytest.mark.parametrize(("path", "trouble"), cases(CANCEL_LINES))
async def test_every_quantity_is_cancelled_once(
    vendors: Sandbox, erp: FinancialForce, goods: FinancialForceFulfillment, path: Path, trouble: Trouble
) -> None:
    orders = [goods_order(f"cut-{trouble.kind}-{n}", (LAMP, "5"), (SHADE, "2")) for n in range(trouble.orders)]
    keys = await abreast(lambda order: book(erp, vendors, order), orders)
    undone = await troubled(vendors, path, trouble, goods.cancel_lines, [cancel(key, _1="2", _2="2") for key in keys])
    assert all(one.done for one in undone)
    found: Found = {key: [] for key in keys}
    for reading in await abreast(lambda key: look(goods, key), keys):
        found[reading.order_key] = [f"{line.cancelled} of {line.ordered}" for line in reading.lines]
    assert differences(found, {key: ["2 of 5", "2 of 2"] for key in keys}) == {}


@pytest.mark.parametrize(("path", "trouble"), cases(REQUEST_TRANSFER))
async def test_every_transfer_is_requested_once(
    vendors: Sandbox, erp: FinancialForce, goods: FinancialForceFulfillment, path: Path, trouble: Trouble
) -> None:
    tasks = [
        transfer(f"de:move-{trouble.kind}-{n}", "t", ("1", LAMP, str(n % 9 + 1)), ("2", SHADE, "1"))
        for n in range(trouble.orders)
    ]
    await troubled(vendors, path, trouble, goods.request_transfer, tasks)
    request = "SCMC__Transfer_Request__r"
    rows = await erp.client.query(
        f"SELECT {request}.Transfer_Key__c, {request}.Name, SCMC__Item_Master__r.Name, SCMC__Quantity__c "
        f"FROM SCMC__Transfer_Request_Line__c WHERE {request}.Transfer_Key__c LIKE 'de:move-{trouble.kind}-%'",
        tried="read the requests",
    )
    moved: dict[str, dict[str, Decimal]] = defaultdict(lambda: defaultdict(lambda: ZERO))
    for row in rows:
        moved[row[request]["Transfer_Key__c"]][row["SCMC__Item_Master__r"]["Name"]] += row["SCMC__Quantity__c"]
    found: Found = {key: [f"{n.normalize():f} {sku}" for sku, n in skus.items()] for key, skus in moved.items()}
    expected = {task.key: [f"{p.quantity} {p.sku}" for p in task.portions] for task in tasks}
    assert differences(found, expected) == {}
    assert len({row[request]["Name"] for row in rows}) == trouble.orders
