"""Whatever changes among an order's goods is found, once for each order, with few calls; the org's flow is heard."""

import hashlib
import hmac
import json
from typing import Any

import pytest

from activities.changes import Change, Forged, Unreadable
from activities.financialforce.activities import FinancialForce
from activities.financialforce.feed import FinancialForceGoods, FinancialForceNotifications
from activities.financialforce.fulfillment import FinancialForceFulfillment
from activities.financialforce.settings import FulfillmentSettings
from activities.salesforce.client import Sub
from commerce.failures import Family, SystemFailure
from tests.activities.financialforce.conftest import settings_for
from tests.activities.financialforce.goods_desk import LAMP, SHADE, book, cancel, goods_order, look, only
from tests.activities.financialforce.test_transfers import transfer
from tests.sandbox_process import Sandbox

SECRET = "a-shared-secret"


def feed(org: Sandbox, erp: FinancialForce, **changes: Any) -> FinancialForceGoods:
    rules = FulfillmentSettings(**changes)
    return FinancialForceGoods(settings_for(org, fulfillment=rules), system="ff-de", client=erp.client)


async def everything(source: FinancialForceGoods, cursor: str | None = None) -> tuple[list[Change], str]:
    """All changes of one pass, and the cursor behind it."""
    found: list[Change] = []
    while True:
        page = await source.read(cursor)
        found += page.changes
        cursor = page.cursor
        if not page.more:
            return found, cursor


class Follower:
    """Reads a feed as the worker does: a repeat of a known state is no news."""

    def __init__(self, source: FinancialForceGoods, cursor: str) -> None:
        self.source, self.cursor = source, cursor
        self.known: dict[str, str] = {}

    async def news(self) -> list[str]:
        found, self.cursor = await everything(self.source, self.cursor)
        new = [change.order_key for change in found if self.known.get(change.order_key) != change.digest]
        self.known |= {change.order_key: change.digest for change in found}
        return sorted(set(new))


async def follower(org: Sandbox, erp: FinancialForce, **changes: Any) -> Follower:
    source = feed(org, erp, **changes)
    following = Follower(source, (await everything(source))[1])
    await following.news()
    return following


async def test_every_kind_of_change_is_news_once(
    org: Sandbox, erp: FinancialForce, goods: FinancialForceFulfillment
) -> None:
    follows = await follower(org, erp)
    key = await book(erp, org, goods_order("news-1", (LAMP, "5"), (SHADE, "1")))
    assert await follows.news() == [key]
    shipping = ""
    for do, more in (
        ("promise", {"date": "2026-12-24"}),
        ("allocate", {}),
        ("pick", {}),
        ("pack", {"boxes": 2}),
        ("ship", {"tracking": None}),
        ("track", {"boxes": ["B-1", "B-2"]}),
    ):
        named = {"shipping": shipping} if do == "track" else {"order": key}
        done = org.act("salesforce", do, **named, **more)
        shipping = (done.get("shippings") or [shipping])[0]
        assert (do, await follows.news()) == (do, [key])
        assert (do, await follows.news()) == (do, [])


async def test_cancellations_and_transfers_are_news(
    org: Sandbox, erp: FinancialForce, goods: FinancialForceFulfillment
) -> None:
    follows = await follower(org, erp)
    key = await book(erp, org, goods_order("news-2", (LAMP, "5")))
    await follows.news()
    await goods.cancel_lines(cancel(key, _1="2"))
    assert await follows.news() == [key]
    made = await goods.request_transfer(transfer(key, "t-1", ("1", LAMP, "1")))
    assert await follows.news() == [key]
    org.act("salesforce", "transfer", request=made.number)
    assert await follows.news() == [key]
    org.act("salesforce", "cancel-order", order=key)
    assert await follows.news() == [key]


async def test_only_orders_with_our_key_are_followed(org: Sandbox, erp: FinancialForce) -> None:
    follows = await follower(org, erp)
    (account,) = await erp.client.query("SELECT Id FROM Account WHERE Magento_Customer_Id__c = 'de:web'", tried="look")
    body = {"SCMC__Customer_Account__c": account["Id"]}
    await erp.client.create("SCMC__Sales_Order__c", body, tried="an order of the counter's")
    assert await follows.news() == []


async def test_a_pass_in_small_pages_has_no_gap(org: Sandbox, erp: FinancialForce) -> None:
    start = (await everything(feed(org, erp)))[1]
    keys = [await book(erp, org, goods_order(f"page-{n}", (LAMP, "1"), (SHADE, "1"))) for n in range(5)]
    for key in keys:
        org.act("salesforce", "ship", order=key)
    found, _ = await everything(feed(org, erp, feed_page=2, feed_overlap_seconds=0), start)
    assert set(keys) <= {change.order_key for change in found}


async def test_a_change_while_pages_are_read_is_found(org: Sandbox, erp: FinancialForce) -> None:
    source = feed(org, erp, feed_page=2, feed_overlap_seconds=0)
    cursor = (await everything(feed(org, erp)))[1]
    keys = [await book(erp, org, goods_order(f"during-{n}", (LAMP, "1"))) for n in range(4)]
    page = await source.read(cursor)
    assert page.more
    org.act("salesforce", "ship", order=keys[0])
    digest = {change.order_key: change.digest for change in (await everything(source, page.cursor))[0]}
    fetched = await source.fetch(keys[0])
    assert fetched is not None
    assert digest[keys[0]] == fetched.digest


async def test_a_late_change_on_an_old_order_is_seen(org: Sandbox, erp: FinancialForce) -> None:
    key = await book(erp, org, goods_order("old-1", (LAMP, "1")))
    (number,) = org.act("salesforce", "ship", order=key, tracking="T-1")["shippings"]
    org.act("salesforce", "bill-order", order=key)
    follows = await follower(org, erp, feed_overlap_seconds=5)  # stamps are whole seconds
    for n in range(3):
        await book(erp, org, goods_order(f"newer-{n}", (LAMP, "1")))
    await follows.news()
    org.act("salesforce", "track", shipping=number, tracking="T-2")
    assert await follows.news() == [key]


async def test_what_was_deleted_is_a_change(org: Sandbox, erp: FinancialForce) -> None:
    key = await book(erp, org, goods_order("deleted-1", (LAMP, "1"), (SHADE, "1")), approve=False)
    follows = await follower(org, erp)
    (line,) = await erp.client.query(
        f"SELECT Id FROM SCMC__Sales_Order_Line_Item__c WHERE Magento_Line_Id__c = '{key}:2'", tried="look"
    )
    path = f"/sobjects/SCMC__Sales_Order_Line_Item__c/{line['Id']}"
    await erp.client.composite([Sub("DELETE", path, "gone")], all_or_none=True, tried="delete by hand")
    assert await follows.news() == [key]


@pytest.mark.parametrize(("changed", "calls"), [(0, 1), (3, 2)])
async def test_a_sweep_is_one_call_and_one_more_for_all_that_changed(
    org: Sandbox, erp: FinancialForce, changed: int, calls: int
) -> None:
    follows = await follower(org, erp, feed_overlap_seconds=0)
    org.act("salesforce", "change-stock", sku="HF-1007", quantity=100)  # no order's business
    for n in range(changed):
        await book(erp, org, goods_order(f"calls-{changed}-{n}", (LAMP, "1")))
    since = max(row["id"] for row in org.requests("salesforce"))
    found, _ = await everything(follows.source, follows.cursor)
    assert len(found) >= changed
    assert len(org.requests("salesforce", since)) == calls


async def test_a_notification_leads_to_its_order(org: Sandbox, erp: FinancialForce) -> None:
    key = await book(erp, org, goods_order("told-1", (LAMP, "1")))
    org.act("salesforce", "ship", order=key)
    source = feed(org, erp)
    (shipping,) = await erp.client.query(
        f"SELECT Id FROM SCMC__Shipping__c WHERE SCMC__Sales_Order__r.Magento_Order_Id__c = '{key}'", tried="look"
    )
    told = [await source.fetch(reference) for reference in (key, f"SCMC__Shipping__c/{shipping['Id']}")]
    assert [change and (change.order_key, change.what) for change in told] == [(key, "fulfillment")] * 2
    assert await source.fetch("SCMC__Shipping__c/a2L5e0000009999EAA") is None
    assert await source.fetch("Account/0015e0000000001EAA") is None


async def test_what_many_notifications_name_is_read_in_two_calls(org: Sandbox, erp: FinancialForce) -> None:
    keys = [await book(erp, org, goods_order(f"many-{n}", (LAMP, "1"))) for n in range(6)]
    for key in keys:
        org.act("salesforce", "ship", order=key)
    source = feed(org, erp)
    path = "SCMC__Sales_Order__r.Magento_Order_Id__c"
    rows = await erp.client.query(f"SELECT Id, {path} FROM SCMC__Shipping__c WHERE {path} LIKE 'de:many-%'", tried="x")
    shipped = {f"SCMC__Shipping__c/{row['Id']}": row["SCMC__Sales_Order__r"]["Magento_Order_Id__c"] for row in rows}
    nobody = ("SCMC__Box__c/a2L5e0000009999EAA", "Account/0015e0000000001EAA")
    since = max(row["id"] for row in org.requests("salesforce"))
    found = await source.fetch_all([*keys, *shipped, *nobody])
    assert len(org.requests("salesforce", since)) == 2
    assert {name: change and change.order_key for name, change in found.items()} == (
        dict(zip(keys, keys, strict=True)) | shipped | dict.fromkeys(nobody)
    )


async def test_a_cursor_of_another_feed_is_refused(org: Sandbox, erp: FinancialForce) -> None:
    with pytest.raises(SystemFailure) as caught:
        await feed(org, erp).read("{")
    assert caught.value.family is Family.BUG


async def test_a_reading_and_a_change_agree_on_the_time(
    org: Sandbox, erp: FinancialForce, goods: FinancialForceFulfillment
) -> None:
    key = await book(erp, org, goods_order("time-1", (LAMP, "1")))
    change = await feed(org, erp).fetch(key)
    assert change is not None
    assert change.at == (await look(goods, key)).changed_at


async def test_a_change_brings_the_goods_so_that_no_run_has_to_read_them(
    org: Sandbox, erp: FinancialForce, goods: FinancialForceFulfillment
) -> None:
    key = await book(erp, org, goods_order("brought-1", (LAMP, "2")))
    org.act("salesforce", "ship", order=key, lines=only(LAMP, 1))
    change = await feed(org, erp).fetch(key)
    assert change is not None
    assert change.reading is not None
    assert change.reading.goods == await look(goods, key)


async def test_goods_that_only_a_person_can_explain_are_left_to_the_run(org: Sandbox, erp: FinancialForce) -> None:
    key = await book(erp, org, goods_order("brought-2", (LAMP, "2")))
    org.act("salesforce", "ship", order=key)
    usual = FulfillmentSettings()
    known = {value: meaning for value, meaning in usual.shipment_statuses.items() if value != "Shipped"}
    settings = settings_for(org, fulfillment=usual.model_copy(update={"shipment_statuses": known}))
    strict = FinancialForceGoods(settings, system="ff-de", client=erp.client)
    for source, wanted in ((feed(org, erp), key), (strict, key), (strict, "de:brought-nobody")):
        change = await source.fetch(wanted)
        assert change is not None
        assert (change.reading is None) == (source is strict)


def hear(org: Sandbox, body: dict[str, Any], secret: str = SECRET) -> Any:
    raw = json.dumps(body).encode()
    signature = hmac.new(secret.encode(), raw, hashlib.sha256).hexdigest()
    listener = FinancialForceNotifications(settings_for(org, webhook_secret=SECRET), system="ff-de")
    return listener.hear({"X-Holdfast-Signature": f"sha256={signature}"}, raw)


def test_the_orgs_flow_is_heard_when_it_signs(org: Sandbox) -> None:
    body = {"id": "n-1", "object": "SCMC__Shipping__c", "recordId": "a2L5e0000000001EAA", "event": "updated"}
    heard = hear(org, body)
    assert (heard.reference, heard.source) == ("SCMC__Shipping__c/a2L5e0000000001EAA", "ff-de:fulfillment")
    assert hear(org, body | {"orderKey": "de:1"}).reference == "de:1"
    with pytest.raises(Forged):
        hear(org, body, "another secret")
    with pytest.raises(Unreadable, match="SCMC__Box__c"):
        hear(org, body | {"object": "Account"})
