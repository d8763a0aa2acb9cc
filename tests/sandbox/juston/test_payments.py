"""The sequences of contract 2.1: one capture counts once, and every outcome can be read from the entry."""

from decimal import Decimal

from tests.sandbox.juston.desk import Desk

KEY = "de:000000123"


async def payments(desk: Desk) -> list[tuple[str, int]]:
    return [(row["status"], row["total_minor"]) for row in (await desk.books())["payments"]]


async def items(desk: Desk) -> list[tuple[Decimal | None, Decimal]]:
    rows = await desk.rows("SELECT JPAY1__ExpectedAmount__c, JPAY1__AssignedAmount__c FROM JPAY1__EntryItem__c")
    return [(row["JPAY1__ExpectedAmount__c"], row["JPAY1__AssignedAmount__c"]) for row in rows]


async def notes(desk: Desk) -> list[tuple[str, Decimal | None]]:
    rows = await desk.rows("SELECT JPAY1__Status__c, JPAY1__Amount__c FROM JPAY1__PaymentNotification__c ORDER BY Name")
    return [(row["JPAY1__Status__c"], row["JPAY1__Amount__c"]) for row in rows]


async def test_a_capture_balances_the_entry_and_is_documented(desk: Desk) -> None:
    await desk.link(KEY, "129.90")
    await desk.act("juston", "pay", key=KEY)

    entry = await desk.entry()
    assert (entry["JPAY1__Status__c"], entry["JPAY1__OpenAmount__c"]) == ("Balanced", 0)
    assert await payments(desk) == [("Collected", 12990)]
    assert await items(desk) == [(None, Decimal("129.90"))]
    assert await notes(desk) == [("Processed", Decimal("129.90"))]


async def test_a_notification_that_comes_three_times_assigns_once(desk: Desk) -> None:
    await desk.link(KEY, "129.90")
    await desk.act("juston", "pay", key=KEY, times=3)
    await desk.act("juston", "repeat-notification", key=KEY)

    assert await items(desk) == [(None, Decimal("129.90"))]
    assert await payments(desk) == [("Collected", 12990)]
    assert [status for status, _ in await notes(desk)] == ["Processed", "Duplicate", "Duplicate", "Duplicate"]


async def test_a_failed_capture_leaves_the_entry_open_and_the_payment_pending(desk: Desk) -> None:
    await desk.link(KEY, "129.90")
    await desk.act("juston", "fail", key=KEY)

    assert (await desk.entry())["JPAY1__Status__c"] == "Open"
    assert await payments(desk) == [("Pending", 0)]
    assert await items(desk) == [(Decimal("129.90"), Decimal(0))]
    assert await notes(desk) == [("Processed", None)]


async def test_a_second_attempt_after_a_failure_pays(desk: Desk) -> None:
    await desk.link(KEY, "129.90")
    await desk.act("juston", "fail", key=KEY)
    await desk.act("juston", "pay", key=KEY)

    assert (await desk.entry())["JPAY1__Status__c"] == "Balanced"
    assert await payments(desk) == [("Pending", 0), ("Collected", 12990)]


async def test_a_first_attempt_that_succeeds_after_the_second_one_is_kept_but_assigned_to_nothing(desk: Desk) -> None:
    await desk.link(KEY, "129.90")
    await desk.act("juston", "fail", key=KEY)
    await desk.act("juston", "pay", key=KEY)
    await desk.act("juston", "late-pay", key=KEY)

    entry = await desk.entry()
    assert (entry["JPAY1__Status__c"], entry["JPAY1__AssignedAmount__c"]) == ("Balanced", Decimal("129.90"))
    rows = await desk.rows("SELECT JPAY1__UnassignedAmount__c, JPAY1__Status__c FROM JPAY1__Payment__c ORDER BY Name")
    assert [row["JPAY1__UnassignedAmount__c"] for row in rows] == [Decimal("129.90"), 0]


async def test_a_partial_payment_lowers_what_is_open_and_a_second_one_balances(desk: Desk) -> None:
    await desk.link(KEY, "129.90")
    await desk.act("juston", "pay", key=KEY, amount="100")
    assert ((await desk.entry())["JPAY1__Status__c"], (await desk.entry())["JPAY1__OpenAmount__c"]) == (
        "Open",
        Decimal("29.90"),
    )

    await desk.act("juston", "pay", key=KEY)
    assert (await desk.entry())["JPAY1__Status__c"] == "Balanced"
    assert await payments(desk) == [("Collected", 10000), ("Collected", 2990)]


async def test_an_overpayment_assigns_what_is_open_and_keeps_the_rest_on_the_payment(desk: Desk) -> None:
    await desk.link(KEY, "129.90")
    await desk.act("juston", "pay", key=KEY, amount="150")

    assert (await desk.entry())["JPAY1__OpenAmount__c"] == 0
    [payment] = await desk.rows("SELECT JPAY1__UnassignedAmount__c FROM JPAY1__Payment__c")
    assert payment["JPAY1__UnassignedAmount__c"] == Decimal("20.10")


async def test_a_late_failure_opens_a_balanced_entry_again(desk: Desk) -> None:
    await desk.link(KEY, "129.90")
    await desk.act("juston", "pay", key=KEY)
    await desk.act("juston", "fail", key=KEY)

    entry = await desk.entry()
    assert (entry["JPAY1__Status__c"], entry["JPAY1__OpenAmount__c"]) == ("Open", Decimal("129.90"))
    assert await payments(desk) == [("Pending", 0)]
    assert await items(desk) == [(Decimal("129.90"), Decimal(0))]


async def test_a_chargeback_opens_the_entry_once_and_marks_the_payment(desk: Desk) -> None:
    await desk.link(KEY, "129.90")
    await desk.act("juston", "pay", key=KEY)
    await desk.act("juston", "chargeback", key=KEY, times=2)

    assert (await desk.entry())["JPAY1__Status__c"] == "Open"
    assert await payments(desk) == [("Charged back", 12990)]
    assert await items(desk) == [(None, Decimal(0))]


async def test_a_buyer_who_cancels_leaves_no_payment(desk: Desk) -> None:
    await desk.link(KEY, "129.90")
    await desk.act("juston", "cancel", key=KEY)

    assert (await desk.entry())["JPAY1__Status__c"] == "Open"
    assert await payments(desk) == []


async def test_the_status_of_a_failed_payment_is_a_setting(desk: Desk) -> None:
    await desk.act("juston", "configure", failed_status="Failed")
    await desk.link(KEY, "129.90")
    await desk.act("juston", "fail", key=KEY)

    assert await payments(desk) == [("Failed", 0)]


async def test_an_act_that_is_not_possible_says_why_and_changes_nothing(desk: Desk) -> None:
    await desk.link(KEY, "129.90")
    refused = await desk.try_act("juston", "chargeback", key=KEY)
    assert refused.status_code == 400
    assert "no collected payment" in refused.json()["error"]
    assert (await desk.try_act("juston", "pay", key="de:unknown")).status_code == 400
    assert (await desk.try_act("juston", "pay", key=KEY, amount="1.005")).status_code == 400
    assert (await desk.try_act("juston", "configure", failed_status="Lost")).status_code == 400
    assert await payments(desk) == []


async def test_the_api_cannot_write_what_the_package_writes(desk: Desk) -> None:
    link = await desk.link(KEY, "129.90")
    refused = await desk.patch("JPAY1__Entry__c", link["entryId"], {"JPAY1__Status__c": "Balanced"})
    assert refused.status_code == 400
    assert refused.json()[0]["errorCode"] == "INVALID_FIELD_FOR_INSERT_UPDATE"

    await desk.act("juston", "pay", key=KEY)
    refused = await desk.patch("JPAY1__Entry__c", link["entryId"], {"JPAY1__Amount__c": "1"})
    assert refused.json()[0]["errorCode"] == "FIELD_CUSTOM_VALIDATION_EXCEPTION"
    assert (await desk.entry())["JPAY1__Status__c"] == "Balanced"
