"""Calls are sorted by what they were for, and the floor that they are held against is the least that a feed can do."""

from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent

from activities.financialforce.goods import queries
from activities.financialforce.mapping import ORDER
from activities.financialforce.settings import FinancialForceSettings
from activities.salesforce.feed import BEGINNING, Place, Stream
from activities.salesforce.settings import SalesforceSettings
from bench.goods import at_once, erp_use, looked
from bench.goods_calls import READING, SWEEP, WRITE, Call, answered, erp_call, fewest, shop_call
from bench.outage import PROBE

AT = datetime(2026, 11, 22, 10, tzinfo=UTC)
REST = "/rest/all/V1"


def request(method: str, path: str, body: str | None = "", status: int | None = 200) -> dict[str, Any]:
    return {"id": 1, "at": AT.isoformat(), "method": method, "path": path, "status": status, "key": None, "body": body}


def composite(resource: str, soql: str) -> dict[str, Any]:
    return request("POST", "/services/data/v68.0/composite", f'{{"url": "{resource}?{urlencode({"q": soql})}"}}')


def test_the_feeds_sweep_and_a_reading_are_told_apart_by_the_queries_that_they_send() -> None:
    sweep = Stream(ORDER, ORDER, "SystemModstamp", "Magento_Order_Id__c").soql(Place(BEGINNING, "", BEGINNING), 200)
    org = SalesforceSettings.model_validate(
        {"login_url": "https://org.example", "auth": "client_credentials", "client_id": "a", "client_secret": "b"}
    )
    reading = queries(["de:1"], FinancialForceSettings(salesforce=org))
    assert erp_call(composite("/queryAll", sweep)) == Call(AT, SWEEP)
    assert {erp_call(composite("/query", soql)) for soql in reading.values()} == {Call(AT, READING)}


def test_what_juston_asks_of_the_same_org_and_probes_are_no_calls_of_the_erp() -> None:
    assert erp_call(composite("/queryAll", "SELECT Id FROM JPAY1__Entry__c")) is None
    assert erp_call(request("POST", "/services/oauth2/token", "grant_type=client_credentials")) is None
    assert erp_call(request("GET", PROBE)) is None


def test_any_other_call_of_the_erp_is_counted_under_its_own_name() -> None:
    found = erp_call(request("GET", "/services/data/v68.0/sobjects/SCMC__Shipping__c/a01?fields=Id"))
    assert found == Call(AT, "GET /services/data/v68.0/sobjects/SCMC__Shipping__c/a01")


def test_a_body_that_the_sandbox_has_dropped_is_not_guessed() -> None:
    with pytest.raises(RuntimeError, match="read its log more often"):
        erp_call(request("POST", "/services/data/v68.0/composite", None))


@pytest.mark.parametrize(
    ("method", "path", "kind", "of"),
    [
        ("POST", f"{REST}/order/12/ship", WRITE, "12"),
        ("GET", f"{REST}/orders/12?fields=entity_id,items[qty_shipped]", "read the order", ""),
        ("GET", f"{REST}/orders/12?fields=entity_id,billing_address", "the feed reads the order again", ""),
        ("GET", f"{REST}/shipments?searchCriteria[pageSize]=100", "look for the shipment", ""),
        ("GET", f"{REST}/shipment/3/comments", "read a shipment's comments", ""),
        ("POST", f"{REST}/shipment/track", "add a track", ""),
    ],
)
def test_each_call_to_the_shop_for_a_shipment_has_a_name(method: str, path: str, kind: str, of: str) -> None:
    assert shop_call(request(method, path)) == Call(AT, kind, of)


@pytest.mark.parametrize("path", ["/orders?searchCriteria[pageSize]=100", "/store/storeViews"])
def test_the_shops_sweeps_are_no_calls_of_a_shipment(path: str) -> None:
    assert shop_call(request("GET", REST + path)) is None


def test_a_write_that_was_refused_or_cut_is_not_in_the_shop() -> None:
    assert [answered(request("POST", "", status=status)) for status in (200, 400, None)] == [True, False, False]


def after(*seconds: float) -> list[datetime]:
    return [AT + timedelta(seconds=each) for each in seconds]


def test_the_floor_is_one_call_that_finds_and_one_that_reads_in_each_sweep_that_met_a_change() -> None:
    assert fewest([], 5, 100) == 0
    assert fewest(after(0), 5, 100) == 2
    assert fewest(after(0, 1, 2, 3, 4), 5, 100) == 2
    assert fewest(after(4, 3, 2, 1, 0, 5), 5, 100) == 4
    assert fewest(after(0, 12), 5, 100) == 5  # the sweep between them finds nothing, and reads nothing
    assert fewest(after(*[0] * 250), 5, 100) == 4


def test_one_reading_takes_as_many_orders_as_the_feed_asks_for_at_once() -> None:
    assert at_once(["de:1"]) == 1
    assert 100 < at_once([f"de:{number:09}" for number in range(1000)]) <= 200


def test_a_runs_own_looks_are_counted_with_every_try() -> None:
    events = []
    for number, (name, attempt) in enumerate(
        [("erp.look_at_fulfillment", 1), ("storefront.ensure_shipment", 1), ("erp.look_at_fulfillment", 3)]
    ):
        scheduled = HistoryEvent(event_id=number * 2 + 1, event_type=EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED)
        scheduled.activity_task_scheduled_event_attributes.activity_type.name = name
        started = HistoryEvent(event_id=number * 2 + 2, event_type=EventType.EVENT_TYPE_ACTIVITY_TASK_STARTED)
        started.activity_task_started_event_attributes.scheduled_event_id = scheduled.event_id
        started.activity_task_started_event_attributes.attempt = attempt
        started.event_time.FromDatetime(AT + timedelta(seconds=number))
        events += [scheduled, started]
    assert looked(events) == after(0, 2, 2, 2)


def test_readings_are_the_runs_as_far_as_histories_say_so_and_else_the_feeds() -> None:
    calls = [Call(AT, SWEEP), *[Call(AT, READING)] * 5, Call(AT, "GET /other")]
    found = erp_use(calls, 4, 2, 4)
    assert found["erp_calls"] == {SWEEP: 1, "the feed reads orders": 1, "a run reads its order": 4, "GET /other": 1}
    assert (found["erp_calls_per_change"], found["fewest_erp_calls_per_change"]) == (1.75, 0.5)
    with pytest.raises(RuntimeError, match="more often than the ERP was read"):
        erp_use(calls, 6, 2, 4)
