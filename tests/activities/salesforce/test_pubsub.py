"""Change Data Capture over real gRPC: every event once, from the place that was left, in spite of tokens and limits."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from typing import Any

import pytest

from activities.changes import PlaceLost
from activities.salesforce.client import SalesforceClient
from activities.salesforce.pubsub import Batch, Changed, ChangeEvents
from activities.salesforce.settings import PushSettings, SalesforceSettings
from commerce.failures import Family, SystemFailure
from engine.processes import free_port
from tests.sandbox_process import Sandbox, running_sandbox

ORDER, SHIPPING = "SCMC__Sales_Order__c", "SCMC__Shipping__c"
WITHIN = 60.0


@pytest.fixture(scope="module")
def org(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    with running_sandbox(tmp_path_factory.mktemp("pubsub"), "--pubsub") as sandbox:
        yield sandbox


@pytest.fixture
async def client(org: Sandbox) -> AsyncIterator[SalesforceClient]:
    given = org.credentials("salesforce")
    names = ("client_id", "client_secret")
    settings = {"login_url": org.url("salesforce"), "timeout_seconds": 30, **{name: given[name] for name in names}}
    client = SalesforceClient(SalesforceSettings(**settings), system="erp")
    yield client
    await client.close()


def events(org: Sandbox, client: SalesforceClient, **changes: Any) -> ChangeEvents:
    settings = {"channel": "/data/ChangeEvents", "url": f"http://{org.url('salesforce-pubsub')}", **changes}
    return ChangeEvents(PushSettings(**settings), client.login, system="erp")


async def heard(source: ChangeEvents, replay_id: bytes | None, count: int) -> tuple[list[Changed], bytes]:
    """So many changes, and the place behind them."""
    found: list[Changed] = []
    async with asyncio.timeout(WITHIN), aclosing(source.listen(replay_id)) as batches:
        async for batch in batches:
            found += batch.changes
            if len(found) >= count:
                return found, batch.replay_id
    raise AssertionError("the stream has ended")


async def now(org: Sandbox, source: ChangeEvents) -> bytes:
    """The place at the end of the stream, which the service tells with its signs of life."""
    org.act("salesforce", "configure-events", keepalive_seconds=0.1)
    return (await heard(source, None, 0))[1]


def gap(org: Sandbox, record: str = "a2L5e0000000001EAA") -> None:
    """The cheapest event: nothing has to change for it."""
    org.act("salesforce", "gap-event", object=SHIPPING, record=record)


async def test_who_goes_on_from_a_place_hears_what_came_after_it_in_order(
    org: Sandbox, client: SalesforceClient
) -> None:
    source = events(org, client)
    place = await now(org, source)
    (account,) = await client.query("SELECT Id FROM Account WHERE Magento_Customer_Id__c = 'de:web'", tried="look")
    made = await client.create(ORDER, {"SCMC__Customer_Account__c": account["Id"]}, tried="an order")
    await client.update(ORDER, made, {"Order_Data__c": "{}"}, tried="change it")
    found, between = await heard(source, place, 2)
    assert found == [Changed(ORDER, (made,), "CREATE"), Changed(ORDER, (made,), "UPDATE")]
    gap(org)
    found, _ = await heard(events(org, client), between, 1)
    assert found == [Changed(SHIPPING, ("a2L5e0000000001EAA",), "GAP_UPDATE")]


async def test_more_than_one_request_may_ask_for_is_heard_without_a_gap(org: Sandbox, client: SalesforceClient) -> None:
    source = events(org, client)
    place = await now(org, source)
    records = [f"a2L{number:012d}EAA" for number in range(230)]
    for record in records:
        gap(org, record)
    found, _ = await heard(source, place, len(records))
    assert [change.records for change in found] == [(record,) for record in records]


async def test_a_token_that_ends_in_the_middle_is_renewed_and_nothing_is_missed(
    org: Sandbox, client: SalesforceClient
) -> None:
    source = events(org, client)
    place = await now(org, source)
    found: list[Batch] = []
    gap(org, "a2L000000000001EAA")
    async with asyncio.timeout(WITHIN), aclosing(source.listen(place)) as batches:
        async for batch in batches:
            if not batch.changes:
                continue
            found.append(batch)
            if len(found) == 2:
                break
            org.act("salesforce", "expire-tokens")
            gap(org, "a2L000000000002EAA")
    assert [batch.changes[0].records[0] for batch in found] == ["a2L000000000001EAA", "a2L000000000002EAA"]


async def test_a_place_that_is_retained_no_more_is_said_to_be_lost(org: Sandbox, client: SalesforceClient) -> None:
    source = events(org, client)
    place = await now(org, source)
    org.act("salesforce", "lose-events")
    for wrong in (place, b"nonsense"):
        with pytest.raises(PlaceLost, match="replayid"):
            await heard(source, wrong, 1)


async def test_an_overflow_names_no_record_and_an_objects_own_channel_tells_of_no_other(
    org: Sandbox, client: SalesforceClient
) -> None:
    own = events(org, client, channel="/data/SCMC__Shipping__ChangeEvent")
    place = await now(org, own)
    org.act("salesforce", "gap-event", object=ORDER)
    org.act("salesforce", "gap-event", object=SHIPPING)
    assert (await heard(own, place, 1))[0] == [Changed(SHIPPING, (), "GAP_OVERFLOW")]


@pytest.mark.parametrize("somebody", [True, False])
async def test_trouble_says_what_is_wrong_and_whose_turn_it_is(
    org: Sandbox, client: SalesforceClient, somebody: bool
) -> None:
    wrong = {"channel": "/data/Nothing"} if somebody else {"url": f"http://127.0.0.1:{free_port()}"}
    with pytest.raises(SystemFailure) as caught:
        await heard(events(org, client, **wrong), None, 1)
    assert caught.value.family is (Family.NEEDS_PERSON if somebody else Family.TRANSIENT)
    assert wrong.get("channel", "UNAVAILABLE") in str(caught.value)
