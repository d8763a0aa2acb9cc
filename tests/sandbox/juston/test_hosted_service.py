"""The hosted service: links, refunds, the payment page; strict, and honest about what is not written yet."""

import asyncio
import re
from decimal import Decimal

import httpx2
import pytest

from sandbox.juston.vendor import TOKENS
from tests.sandbox.juston.desk import RECORDS, Desk

KEY = "de:000000123"
REDIRECTS = {
    "success": "https://shop.example/ok?order=1",
    "failure": "https://shop.example/failed?order=1",
    "cancel": "https://shop.example/cart?order=1",
}
ENTRIES = f"SELECT Id FROM JPAY1__Entry__c WHERE JPAY1__AssignmentKey__c = '{KEY}'"
BALANCED = f"{ENTRIES} AND JPAY1__Status__c = 'Balanced'"


async def test_the_answer_carries_an_entry_that_the_org_shows_a_moment_later(desk: Desk) -> None:
    await desk.act("juston", "configure", entry_delay_ms=150)
    link = await desk.link(KEY, "129.90", customFields={"SalesOrderData__c": '{"lines":[]}'}, businessEntity="DE")

    assert await desk.rows(ENTRIES) == []
    assert (await desk.until(ENTRIES))["Id"] == link["entryId"]
    [entry] = await desk.rows("SELECT SalesOrderData__c, JPAY1__PaymentLink__c FROM JPAY1__Entry__c")
    assert entry["SalesOrderData__c"] == '{"lines":[]}'
    assert entry["JPAY1__PaymentLink__c"] == link["paymentLink"]


async def test_a_key_is_taken_although_nobody_can_see_its_entry_yet(desk: Desk) -> None:
    await desk.act("juston", "configure", entry_delay_ms=60_000)
    await desk.link(KEY, "129.90")
    again = await desk.ask_link(KEY, "129.90")

    assert (again.status_code, again.json()["error"]) == (409, "duplicate_assignment_key")
    row = {"JPAY1__Title__c": "x", "JPAY1__Amount__c": 1, "JPAY1__AssignmentKey__c": KEY.upper()}
    through_salesforce = await desk.org.post(f"{RECORDS}/JPAY1__Entry__c", json=row)
    assert through_salesforce.json()[0]["errorCode"] == "DUPLICATE_VALUE"
    assert len((await desk.books())["entries"]) == 0


async def test_a_key_is_taken_by_an_entry_that_was_written_through_salesforce(desk: Desk) -> None:
    row = {"JPAY1__Title__c": "x", "JPAY1__Amount__c": 1, "JPAY1__AssignmentKey__c": KEY}
    await desk.create("JPAY1__Entry__c", row)
    assert (await desk.ask_link(KEY, "129.90")).status_code == 409
    assert len((await desk.books())["entries"]) == 1


async def test_where_duplicates_are_allowed_the_books_show_both(desk: Desk) -> None:
    await desk.act("juston", "configure", duplicate_keys="allow")
    await desk.link(KEY, "129.90")
    await desk.link(KEY, "129.90")
    assert [entry["key"] for entry in (await desk.books())["entries"]] == [KEY, KEY]


@pytest.mark.parametrize(
    ("amount", "change", "error"),
    [
        ("0", {}, "amount"),
        ("-1", {}, "amount"),
        ("1.005", {}, "decimals of EUR"),
        ('"12.00"', {}, "not a number"),
        ("10.5", {"currency": "JPY"}, "decimals of JPY"),
        ("1", {"currency": "XXX"}, "currency"),
        ("1", {"title": ""}, "title"),
        ("1", {"assignmentKey": None}, "assignmentKey"),
        ("1", {"assignmentKey": "k" * 256}, "longer than 255"),
        ("1", {"dueDate": "21.11.2026"}, "dueDate"),
        ("1", {"email": "nobody"}, "email"),
        ("1", {"redirectUrls": {"success": "javascript:alert(1)"}}, "redirectUrls.success"),
        ("1", {"redirectUrls": {"ok": "https://shop.example"}}, "ok"),
        ("1", {"customFields": {"JPAY1__Status__c": "Balanced"}}, "customFields"),
        ("1", {"customFields": {"Nothing__c": "x"}}, "Nothing__c"),
        ("1", {"businessEntity": "Atlantis"}, "businessEntity"),
        ("1", {"amountMinor": 5}, "amountMinor"),
    ],
)
async def test_what_is_not_valid_is_refused_and_makes_nothing(
    desk: Desk, amount: str, change: dict[str, object], error: str
) -> None:
    refused = await desk.ask_link(KEY, amount, **change)
    assert refused.status_code == 400, refused.text
    assert set(refused.json()) == {"error", "message"}
    assert error in refused.json()["message"]
    assert (await desk.books())["entries"] == []


async def test_another_token_or_tenant_gets_nowhere(desk: Desk) -> None:
    url = str(desk.hosted.base_url)
    async with httpx2.AsyncClient(trust_env=False) as stranger:
        assert (await stranger.post(f"{url}entry-link", json={})).status_code == 401
        wrong = {"authorization": "Bearer wrong"}
        assert (await stranger.post(f"{url}refund", json={}, headers=wrong)).status_code == 401
        right = {"authorization": f"Bearer {TOKENS['nordlicht']}"}
        elsewhere = url.replace("/nordlicht/", "/acme/")
        unknown = await stranger.post(f"{elsewhere}entry-link", json={}, headers=right)
        assert (unknown.status_code, unknown.json()["error"]) == (404, "unknown_tenant")
    assert (await desk.hosted.post("entry-link", content=b"{")).json()["error"] == "malformed_json"
    assert (await desk.hosted.get("entry-link")).status_code == 405


async def test_the_page_shows_what_is_to_be_paid_in_the_buyers_language(desk: Desk) -> None:
    link = await desk.link(KEY, "1299.90", language="de", title="Bestellung <b>1</b>", paymentReference="R-1")
    page = await desk.org.get(link["paymentLink"])

    assert page.status_code == 200
    assert page.headers["content-type"].startswith("text/html")
    assert '<html lang="de">' in page.text
    assert "1.299,90 EUR" in page.text
    assert "Bestellung &lt;b&gt;1&lt;/b&gt;" in page.text
    assert re.findall(r'name="action" value="(\w+)"', page.text) == ["pay", "cancel", "fail"]
    assert len(re.findall(r'type="radio" name="method"', page.text)) == 3


@pytest.mark.parametrize(
    ("currency", "amount", "shown"), [("JPY", "12990", "12,990 JPY"), ("KWD", "1.25", "1.250 KWD")]
)
async def test_the_page_shows_the_decimals_of_the_currency(desk: Desk, currency: str, amount: str, shown: str) -> None:
    link = await desk.link(KEY, amount, currency=currency)
    assert shown in (await desk.org.get(link["paymentLink"])).text


async def test_the_browser_is_back_before_the_entry_knows(desk: Desk) -> None:
    await desk.act("juston", "configure", payment_delay_ms=150)
    link = await desk.link(KEY, "129.90", redirectUrls=REDIRECTS)
    back = await desk.org.post(link["paymentLink"], data={"action": "pay", "method": "PayPal"})

    assert (back.status_code, back.headers["location"]) == (303, REDIRECTS["success"])
    assert (await desk.entry())["JPAY1__Status__c"] == "Open"
    [payment] = await desk.rows("SELECT JPAY1__Status__c, JPAY1__PaymentMethod__c FROM JPAY1__Payment__c")
    assert (payment["JPAY1__Status__c"], payment["JPAY1__PaymentMethod__c"]) == ("Pending", "PayPal")
    await desk.until(BALANCED)


async def test_two_clicks_charge_once(desk: Desk) -> None:
    await desk.act("juston", "configure", payment_delay_ms=100)
    link = await desk.link(KEY, "129.90")
    await asyncio.gather(*(desk.org.post(link["paymentLink"], data={"action": "pay"}) for _ in range(3)))
    await desk.until(BALANCED)
    assert [row["total_minor"] for row in (await desk.books())["payments"]] == [12990]


async def test_failing_and_leaving_send_the_browser_where_the_shop_asked(desk: Desk) -> None:
    link = await desk.link(KEY, "129.90", redirectUrls=REDIRECTS)
    failed = await desk.org.post(link["paymentLink"], data={"action": "fail"})
    left = await desk.org.post(link["paymentLink"], data={"action": "cancel"})

    assert (failed.status_code, failed.headers["location"]) == (303, REDIRECTS["failure"])
    assert (left.status_code, left.headers["location"]) == (303, REDIRECTS["cancel"])
    assert (await desk.entry())["JPAY1__Status__c"] == "Open"
    assert [row["status"] for row in (await desk.books())["payments"]] == ["Pending"]


async def test_a_tester_can_pay_another_amount(desk: Desk) -> None:
    link = await desk.link(KEY, "129.90")
    wrong = await desk.org.post(link["paymentLink"], data={"action": "pay", "amount": "1.005"})
    assert wrong.status_code == 422
    assert 'role="alert"' in wrong.text

    paid = await desk.org.post(link["paymentLink"], data={"action": "pay", "amount": "100"})
    assert paid.status_code == 200
    assert (await desk.entry())["JPAY1__OpenAmount__c"] == Decimal("29.90")


async def test_a_link_that_needs_no_payment_says_so_and_takes_none(desk: Desk) -> None:
    paid = await desk.link("de:1", "10")
    await desk.act("juston", "pay", key="de:1")
    canceled = await desk.link("de:2", "10")
    await desk.action("JPAY1__EntryCancellation", entryId=canceled["entryId"])
    expired = await desk.link("de:3", "10")
    await desk.act("juston", "expire", key="de:3")

    for link, status, words in (
        (paid, 200, "has been made"),
        (canceled, 410, "no longer requested"),
        (expired, 410, "has expired"),
    ):
        page = await desk.org.get(link["paymentLink"])
        assert (page.status_code, words in page.text, "<form" in page.text) == (status, True, False)
        assert (await desk.org.post(link["paymentLink"], data={"action": "pay"})).status_code == 409
    unknown = await desk.org.get(paid["paymentLink"].replace("/pay/", "/pay/x"))
    assert unknown.status_code == 404
    assert [row["total_minor"] for row in (await desk.books())["payments"]] == [1000]


async def refund_state(desk: Desk) -> list[tuple[str, int]]:
    return [(row["status"], row["total_minor"]) for row in (await desk.books())["refunds"]]


async def test_a_refund_goes_from_prepared_to_paid_out_and_lowers_the_entry_item(desk: Desk) -> None:
    link = await desk.link(KEY, "129.90")
    await desk.act("juston", "pay", key=KEY)
    reply = await desk.hosted.post("refund", json={"linkId": link["linkId"], "amount": 40, "reason": "Return 17"})

    assert (reply.status_code, reply.json()["status"]) == (202, "Prepared")
    await desk.until("SELECT Id FROM JPAY1__Refund__c WHERE JPAY1__Status__c = 'Paid out'")
    [item] = await desk.rows("SELECT JPAY1__AssignedAmount__c FROM JPAY1__EntryItem__c")
    assert item["JPAY1__AssignedAmount__c"] == Decimal("89.90")
    assert (await desk.entry())["JPAY1__Status__c"] == "Balanced"
    [payment] = (await desk.books())["payments"]
    assert (payment["status"], payment["refunded_minor"]) == ("Collected", 4000)


async def test_refunds_never_exceed_what_was_collected(desk: Desk) -> None:
    link = await desk.link(KEY, "129.90")
    assert (await desk.hosted.post("refund", json={"linkId": link["linkId"]})).status_code == 409
    assert (await desk.hosted.post("refund", json={"linkId": "nothing"})).status_code == 404
    await desk.act("juston", "pay", key=KEY)
    await desk.act("juston", "configure", refund_delay_ms=50)

    assert (await desk.hosted.post("refund", json={"linkId": link["linkId"], "amount": 100})).status_code == 202
    too_much = await desk.hosted.post("refund", json={"linkId": link["linkId"], "amount": 30})
    assert (too_much.status_code, too_much.json()["error"]) == (400, "amount_too_high")
    assert (await desk.hosted.post("refund", json={"linkId": link["linkId"]})).status_code == 202
    assert (await desk.hosted.post("refund", json={"linkId": link["linkId"]})).status_code == 409
    await desk.until("SELECT Id FROM JPAY1__Payment__c WHERE JPAY1__Status__c = 'Refunded'")
    assert await refund_state(desk) == [("Paid out", 10000), ("Paid out", 2990)]


async def test_a_refund_that_is_rejected_can_be_asked_for_again(desk: Desk) -> None:
    await desk.act("juston", "configure", refund_auto=False)
    link = await desk.link(KEY, "129.90")
    await desk.act("juston", "pay", key=KEY)
    await desk.hosted.post("refund", json={"linkId": link["linkId"]})
    await desk.act("salesforce", "reject-refunds", key=KEY, reason="bank says no")
    await desk.hosted.post("refund", json={"linkId": link["linkId"]})

    assert await refund_state(desk) == [("Rejected", 12990), ("Prepared", 12990)]
    await desk.act("salesforce", "approve-refunds", key=KEY)
    await desk.until("SELECT Id FROM JPAY1__Payment__c WHERE JPAY1__Status__c = 'Refunded'")


async def test_faults_speak_the_services_own_language_and_a_lost_reply_leaves_the_entry(desk: Desk) -> None:
    rules = "/systems/juston/faults"
    for kind, status in (("limit", 429), ("expire-auth", 401), ("lock", 500)):
        await desk.control.put(rules, json=[{"kind": kind, "times": 1}])
        refused = await desk.ask_link(KEY, "1")
        assert (refused.status_code, set(refused.json())) == (status, {"error", "message"})
    await desk.control.put(rules, json=[{"kind": "lose-reply", "times": 1}])
    with pytest.raises(httpx2.TransportError):
        await desk.ask_link(KEY, "1")
    assert [row["key"] for row in (await desk.books())["entries"]] == [KEY]
    assert (await desk.ask_link(KEY, "1")).status_code == 409


async def test_the_request_log_names_the_assignment_key(desk: Desk) -> None:
    link = await desk.link(KEY, "10")
    await desk.org.get(link["paymentLink"])
    log = (await desk.control.get("/systems/juston/requests")).json()
    log = log if isinstance(log, list) else log["requests"]
    assert [row["key"] for row in log] == [KEY, KEY]
