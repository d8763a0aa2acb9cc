"""EntryCancellation (contract 2.2): the three ways of treating money that is already there."""

import pytest

from tests.sandbox.juston.desk import API, Desk

KEY = "de:000000123"


async def state(desk: Desk) -> tuple[str, list[tuple[str, int]], list[tuple[str, int]]]:
    books = await desk.books()
    return (
        books["entries"][0]["status"],
        [(row["status"], row["refunded_minor"]) for row in books["payments"]],
        [(row["status"], row["total_minor"]) for row in books["refunds"]],
    )


async def paid(desk: Desk) -> str:
    link = await desk.link(KEY, "129.90")
    await desk.act("juston", "pay", key=KEY)
    return str(link["entryId"])


async def test_an_unpaid_entry_is_canceled_with_its_reason(desk: Desk) -> None:
    link = await desk.link(KEY, "129.90")
    done = await desk.action(
        "JPAY1__EntryCancellation", entryId=link["entryId"], cancellationReason="Order cancelled", cancellationNo="C-1"
    )

    assert done["code"] == 200
    assert await state(desk) == ("Canceled", [], [])
    [entry] = await desk.rows("SELECT JPAY1__CancellationReason__c, JPAY1__CancellationNo__c FROM JPAY1__Entry__c")
    assert (entry["JPAY1__CancellationReason__c"], entry["JPAY1__CancellationNo__c"]) == ("Order cancelled", "C-1")


async def test_future_settlement_leaves_the_money_on_the_payment(desk: Desk) -> None:
    entry = await paid(desk)
    await desk.action("JPAY1__EntryCancellation", entryId=entry, cancellationCBS="Future Settlement")

    assert await state(desk) == ("Canceled", [("Collected", 0)], [])
    [payment] = await desk.rows("SELECT JPAY1__UnassignedAmount__c FROM JPAY1__Payment__c")
    assert str(payment["JPAY1__UnassignedAmount__c"]) == "129.900"


async def test_a_prepared_refund_waits_for_a_person(desk: Desk) -> None:
    entry = await paid(desk)
    await desk.action("JPAY1__EntryCancellation", entryId=entry, cancellationCBS="Prepared Refund")
    assert await state(desk) == ("Canceled", [("Collected", 0)], [("Prepared", 12990)])

    await desk.act("salesforce", "approve-refunds", key=KEY)
    await desk.until("SELECT Id FROM JPAY1__Refund__c WHERE JPAY1__Status__c = 'Paid out'")
    assert await state(desk) == ("Canceled", [("Refunded", 12990)], [("Paid out", 12990)])


async def test_a_direct_refund_pays_back_by_itself(desk: Desk) -> None:
    entry = await paid(desk)
    await desk.action("JPAY1__EntryCancellation", entryId=entry, cancellationCBS="Direct Refund")
    await desk.until("SELECT Id FROM JPAY1__Refund__c WHERE JPAY1__Status__c = 'Paid out'")
    assert await state(desk) == ("Canceled", [("Refunded", 12990)], [("Paid out", 12990)])


async def test_what_was_refunded_before_is_not_refunded_again(desk: Desk) -> None:
    link = await desk.link(KEY, "129.90")
    await desk.act("juston", "pay", key=KEY)
    await desk.hosted.post("refund", json={"linkId": link["linkId"], "amount": 29.90})
    await desk.until("SELECT Id FROM JPAY1__Refund__c WHERE JPAY1__Status__c = 'Paid out'")
    await desk.action("JPAY1__EntryCancellation", entryId=link["entryId"], cancellationCBS="Direct Refund")
    await desk.until("SELECT Id FROM JPAY1__Payment__c WHERE JPAY1__Status__c = 'Refunded'")

    assert await state(desk) == ("Canceled", [("Refunded", 12990)], [("Paid out", 2990), ("Paid out", 10000)])


async def test_money_that_comes_after_the_cancellation_is_kept_but_assigned_to_nothing(desk: Desk) -> None:
    link = await desk.link(KEY, "129.90")
    await desk.action("JPAY1__EntryCancellation", entryId=link["entryId"])
    await desk.act("juston", "late-pay", key=KEY)

    assert await state(desk) == ("Canceled", [("Collected", 0)], [])
    assert (await desk.entry())["JPAY1__AssignedAmount__c"] == 0
    await desk.act("juston", "refund", key=KEY)
    await desk.until("SELECT Id FROM JPAY1__Refund__c WHERE JPAY1__Status__c = 'Paid out'")
    assert await state(desk) == ("Canceled", [("Refunded", 12990)], [("Paid out", 12990)])


@pytest.mark.parametrize(
    ("given", "detail"),
    [
        ({"cancellationCBS": "Keep It"}, "cancellationCBS"),
        ({"reason": "misspelled"}, "unknown input reason"),
        ({"entryId": "a0J000000000000AAA"}, "no entry"),
    ],
)
async def test_a_cancellation_that_cannot_be_done_answers_500_and_changes_nothing(
    desk: Desk, given: dict[str, str], detail: str
) -> None:
    entry = await paid(desk)
    output = await desk.action("JPAY1__EntryCancellation", **({"entryId": entry} | given))
    assert output["code"] == 500
    assert detail in output["detail"]
    assert await state(desk) == ("Balanced", [("Collected", 0)], [])


async def test_canceling_twice_pays_back_once(desk: Desk) -> None:
    entry = await paid(desk)
    first = await desk.action("JPAY1__EntryCancellation", entryId=entry, cancellationCBS="Prepared Refund")
    second = await desk.action("JPAY1__EntryCancellation", entryId=entry, cancellationCBS="Prepared Refund")
    assert (first["code"], second["code"]) == (200, 500)
    assert await state(desk) == ("Canceled", [("Collected", 0)], [("Prepared", 12990)])


async def test_each_entry_of_a_batch_has_its_own_result_and_a_batch_has_at_most_30(desk: Desk) -> None:
    link = await desk.link(KEY, "129.90")
    url = f"{API}/actions/custom/apex/JPAY1__EntryCancellation"
    mixed = {"inputs": [{"entryId": "a0J000000000000AAA"}, {"entryId": link["entryId"]}]}
    reply = (await desk.org.post(url, json=mixed)).json()
    assert [row["outputValues"]["code"] for row in reply] == [500, 200]

    too_many = await desk.org.post(url, json={"inputs": [{"entryId": link["entryId"]}] * 31})
    assert too_many.status_code == 400
