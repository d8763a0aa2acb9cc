"""What an org may show that the sandbox never does: twins under one key, and cancellations that do not happen."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest
from temporalio.exceptions import ApplicationError

from activities.juston.activities import JustOnPayments
from activities.juston.hosted import HostedClient
from activities.roles import CancelEntry, LookAtEntry
from activities.salesforce.client import SalesforceClient
from tests.activities.juston.desk import Notes, details, entry_task, order, settings

Rows = Callable[[str], list[dict[str, Any]]]


def entry(record_id: str, **changes: Any) -> dict[str, Any]:
    return {
        "Id": record_id,
        "JPAY1__AssignmentKey__c": "de:1",
        "JPAY1__Status__c": "Open",
        "JPAY1__Amount__c": 119,
        "JPAY1__AssignedAmount__c": 0,
        "CurrencyIsoCode": "EUR",
        "SystemModstamp": "2026-11-21T10:15:30.000+0000",
        **changes,
    }


def desk(rows: Rows, *, action: dict[str, Any] | None = None, notes: Notes | None = None) -> JustOnPayments:
    """Payments over an org that answers every query with `rows`, and a hosted service that refuses every entry."""

    def answer(request: httpx2.Request) -> httpx2.Response:
        if request.url.path.endswith("/token"):
            return httpx2.Response(200, json={"access_token": "t", "instance_url": "http://127.0.0.1:9"})
        if "/actions/" in request.url.path:
            return httpx2.Response(200, json=[{"isSuccess": True, "errors": None, "outputValues": action}])
        found = rows(request.url.params["q"])
        body = json.dumps({"totalSize": len(found), "done": True, "records": found})
        return httpx2.Response(200, content=body.encode())

    def refuse(request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(409, json={"error": "duplicate", "message": "there is one"})

    configured = settings()
    return JustOnPayments(
        configured,
        system="juston",
        salesforce=SalesforceClient(configured.salesforce, system="juston", transport=httpx2.MockTransport(answer)),
        hosted=HostedClient(configured, system="juston", transport=httpx2.MockTransport(refuse)),
        memory=notes or Notes(),
    )


def only(*entries: dict[str, Any]) -> Rows:
    """An org with these entries and nothing in them."""
    return lambda soql: list(entries) if " FROM JPAY1__Entry__c " in soql else []


async def failing(step: Any, task: Any, family: str) -> dict[str, str]:
    with pytest.raises(ApplicationError) as caught:
        await step(task)
    assert caught.value.type == family, caught.value
    return details(caught.value)


TASK = CancelEntry(key="de:1", order_key="de:1", reason="Storno")


async def test_two_entries_under_one_key_wait_for_a_person_who_reads_both() -> None:
    payments = desk(only(entry("a0J5e0000000001AAA"), entry("a0J5e0000000002AAA", JPAY1__Amount__c=99)))
    for step, task in (
        (payments.look_at_entry, LookAtEntry(key="de:1", order_key="de:1")),
        (payments.cancel_entry, TASK),
    ):
        case = await failing(step, task, "NeedsPerson")
        assert "a0J5e0000000001AAA (119.00 EUR" in case["came_back"]
        assert "a0J5e0000000002AAA (99.00 EUR" in case["came_back"]


async def test_a_canceled_entry_beside_an_open_one_is_passed_over() -> None:
    payments = desk(only(entry("a0J5e0000000002AAA", JPAY1__Status__c="Canceled"), entry("a0J5e0000000001AAA")))
    state = await payments.look_at_entry(LookAtEntry(key="de:1", order_key="de:1"))
    assert state.entry_id == "a0J5e0000000001AAA"


async def test_a_refused_cancellation_waits_for_a_person_with_the_reason() -> None:
    refused = {"code": 500, "detail": "period closed for kim@example.com"}
    payments = desk(only(entry("a0J5e0000000001AAA")), action=refused)
    case = await failing(payments.cancel_entry, TASK, "NeedsPerson")
    assert "period closed" in case["came_back"]
    assert "kim@example.com" not in str(case)


async def test_a_cancellation_that_is_only_promised_is_looked_at_again() -> None:
    payments = desk(only(entry("a0J5e0000000001AAA")), action={"code": 200, "detail": "ok"})
    case = await failing(payments.cancel_entry, TASK, "Transient")
    assert "not canceled yet" in case["came_back"]


async def test_an_unknown_status_waits_for_a_person() -> None:
    payments = desk(only(entry("a0J5e0000000001AAA", JPAY1__Status__c="Disputed")))
    case = await failing(payments.look_at_entry, LookAtEntry(key="de:1", order_key="de:1"), "NeedsPerson")
    assert "Disputed" in case["came_back"]


async def test_a_key_that_juston_calls_taken_but_never_shows_ends_with_a_person() -> None:
    notes, task = Notes(), entry_task(order(number="1"))
    payments = desk(only(), notes=notes)
    for _ in range(2):
        await failing(payments.ensure_entry, task, "Transient")
        notes.begun_at = {key: at - timedelta(minutes=1) for key, at in notes.begun_at.items()}
    case = await failing(payments.ensure_entry, task, "NeedsPerson")
    assert "de:1" in case["came_back"]


async def test_an_entry_whose_answer_arrived_is_never_asked_for_again() -> None:
    notes, task = Notes(), entry_task(order(number="1"))
    notes.begun_at["juston:entry:de:1:0:1"] = datetime.now(UTC) - timedelta(minutes=2)
    await notes.save_link("de:1", "https://pay/1", "1", "a0J5e0000000001AAA")
    payments = desk(only(), notes=notes)
    await failing(payments.ensure_entry, task, "Transient")
    notes.begun_at["juston:entry:de:1:0:1"] = datetime.now(UTC) - timedelta(hours=1)
    case = await failing(payments.ensure_entry, task, "NeedsPerson")
    assert "a0J5e0000000001AAA" in case["came_back"]


async def test_a_lost_link_on_a_key_that_stays_taken_ends_with_a_person() -> None:
    """A JustOn that does not give the key of a canceled entry free."""
    notes, task = Notes(), entry_task(order(number="1"))
    await notes.begun("juston:entry:de:1:0:1")
    status = ["Open", "Canceled"]

    def rows(soql: str) -> list[dict[str, Any]]:
        if " FROM JPAY1__Entry__c " not in soql:
            return []
        return [entry("a0J5e0000000001AAA", JPAY1__Status__c=status.pop(0) if len(status) > 1 else status[0])]

    payments = desk(rows, action={"code": 200, "detail": "ok"}, notes=notes)
    for _ in range(2):
        await failing(payments.ensure_entry, task, "Transient")
        notes.begun_at = {key: at - timedelta(minutes=1) for key, at in notes.begun_at.items()}
    case = await failing(payments.ensure_entry, task, "NeedsPerson")
    assert "only canceled ones" in case["came_back"]
