"""The API with the real process behind it: worker, sandbox, ledger and engine."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx2
import pytest

from api.examples import COMPANY
from tests.api.desk import APPROVER, PORTAL, Served, an_order, engine_of, served, with_tokens
from tests.flow.stand import Stand, standing

WITHIN = 60.0  # seconds


@pytest.fixture(scope="module")
async def stand() -> AsyncIterator[Stand]:
    async with standing() as made, made.workers():
        yield made


@pytest.fixture(scope="module")
async def working(stand: Stand) -> AsyncIterator[Served]:
    settings = with_tokens(stand.settings, answer_within_seconds=10.0, temporal_ui="http://temporal.example")
    async with served(settings, stand.ledger, engine_of(stand.client)) as running:
        yield running


async def until(api: Served, order: dict[str, Any], holds: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """The order's answer once it holds; fails with the last answer when it does not in time."""
    deadline = asyncio.get_running_loop().time() + WITHIN
    while True:
        answer: dict[str, Any] = (await api.get(f"/v1/orders/{order['store']}/{order['number']}")).json()
        if holds(answer):
            return answer
        assert asyncio.get_running_loop().time() < deadline, answer
        await asyncio.sleep(0.1)


async def in_thread(work: Callable[[], Any]) -> Any:
    """The sandbox's client blocks, and the workers share this loop."""
    return await asyncio.to_thread(work)


async def test_an_order_is_placed_paid_and_completed_with_one_document_of_each_kind(
    working: Served, stand: Stand, order: dict[str, Any]
) -> None:
    key = f"de:{order['number']}"
    first = await working.post("/v1/checkouts", order, PORTAL, headers={"Idempotency-Key": "anything"})
    again = await working.post("/v1/checkouts", order, PORTAL)
    assert (first.status_code, again.status_code) == (201, 200)
    link = first.json()["payment_link"]
    assert link.startswith(stand.sandbox.url("juston"))
    assert again.json() == first.json()
    assert first.json()["links"]["temporal_ui"].endswith(f"/workflows/checkout%3Ade%3A{order['number']}")
    other = await working.post("/v1/checkouts", {**order, "note": "other"}, PORTAL)
    assert other.status_code == 409
    assert other.json()["error"]["details"] == ['note: known nothing, given "other"']

    await in_thread(lambda: stand.sandbox.act("juston", "pay", key=key))
    returned = await working.get(f"/v1/return/de/{order['number']}?outcome=success", "")
    assert returned.status_code == 200
    assert "being confirmed" in returned.text
    await until(working, order, lambda now: "billing order" in [made["kind"] for made in now["documents"]])
    await in_thread(lambda: stand.sandbox.act("salesforce", "run-invoices"))
    done = await until(working, order, lambda now: now["result"] is not None)
    assert done["stage"] == "completed"
    assert done["payment_link"] is None
    kinds = [document["kind"] for document in done["documents"]]
    assert sorted(set(kinds)) == sorted(kinds), "one document of each kind"
    assert {"payment entry", "sales order", "cash receipt", "billing order", "invoice"} <= set(kinds)
    assert done["result"]["handed_over"] is True

    repeated = await working.post("/v1/checkouts", order, PORTAL)
    assert (repeated.status_code, repeated.json()["stage"]) == (200, "completed")
    assert (await working.post("/v1/checkouts", {**order, "note": "other"}, PORTAL)).status_code == 409
    invoice = next(document for document in done["documents"] if document["kind"] == "invoice")
    found = (await working.get(f"/v1/orders?document={invoice['number']}")).json()["orders"]
    assert [row["order_key"] for row in found] == [key]
    followed = await until(working, order, lambda answer: bool(answer["goods"] and answer["goods"]["lines"]))
    assert (followed["goods"]["state"], followed["goods"]["lines"][0]["shipped"]) == ("booked", "0")


async def test_an_order_on_account_needs_no_link(working: Served, fresh_number: str) -> None:
    reply = await working.post("/v1/checkouts", {**COMPANY, "number": fresh_number}, PORTAL)
    assert reply.status_code == 201, reply.text
    assert (reply.json()["payment_link"], reply.json()["payment_state"]) == (None, "on account")


async def test_a_parked_order_says_what_it_needs_and_goes_on_after_a_correction(
    working: Served, order: dict[str, Any]
) -> None:
    order["lines"][0]["sku"] = "HF-9999"
    placed = await working.post("/v1/checkouts", order, PORTAL)
    assert placed.status_code == 202
    case = placed.json()["cases"][0]
    assert "HF-9999" in placed.json()["next"]
    listed = (await working.get("/v1/parked")).json()["cases"]
    assert case["id"] in [row["id"] for row in listed]

    path = f"/v1/parked/{case['id']}/decision"
    skipped = await working.post(path, {"decision": "skip", "reason": "not needed"})
    assert skipped.status_code == 409
    assert "cannot be skipped" in skipped.json()["error"]["message"]
    decision = {
        "decision": "correct",
        "reason": "the SKU was renamed",
        "correction": {"lines": {"0": {"sku": "HF-1001"}}},
    }
    clicks = await asyncio.gather(*(working.post(path, decision) for _ in range(3)))
    assert {click.status_code for click in clicks} == {200}, [click.text for click in clicks]
    # A run that is busy cannot be asked; then the answer is not live and has the stage alone.
    waiting = await until(working, order, lambda now: now["live"] and now["stage"] == "awaiting payment")
    assert waiting["payment_link"]
    assert sum("HF-1001" in event["text"] for event in waiting["timeline"]) == 1, "corrected once"

    closed = (await working.get(f"/v1/parked/{case['id']}")).json()
    assert (closed["open"], closed["decision"]["by"], closed["decision"]["kind"]) == (False, "anna", "correct")
    assert (await working.post(path, decision)).status_code == 200, "the same decision again is harmless"
    contrary = await working.post(path, {"decision": "give-up", "reason": "changed my mind"})
    assert contrary.status_code == 409
    assert "anna decided correct" in contrary.json()["error"]["message"]
    assert (await working.post("/v1/parked/de:nothing:1/decision", decision)).status_code == 404


async def test_a_cancelled_order_is_undone_and_its_link_is_gone(working: Served, order: dict[str, Any]) -> None:
    await working.post("/v1/checkouts", order, PORTAL)
    reply = await working.post(f"/v1/orders/de/{order['number']}/cancel", {"reason": "changed my mind"}, PORTAL)
    assert reply.status_code == 202
    assert reply.json()["cancel_requested"] is True
    done = await until(working, order, lambda now: now["result"] is not None)
    assert done["stage"] == "cancelled"
    assert done["payment_link"] is None
    assert done["result"]["reason"] == "changed my mind (shop portal)"
    assert any(undone["done"] for undone in done["result"]["undone"])


async def test_an_approver_decides_on_the_console(working: Served, order: dict[str, Any]) -> None:
    order["lines"][0]["sku"] = "HF-9999"
    case = (await working.post("/v1/checkouts", order, PORTAL)).json()["cases"][0]
    async with httpx2.AsyncClient(base_url=working.url, timeout=30, trust_env=False) as browser:
        await browser.post("/console/login", data={"token": APPROVER})
        page = (await browser.get(f"/console/parked/{case['id']}")).text
        secret = re.search(r'name="form_secret" value="([0-9a-f]+)"', page)
        assert secret is not None
        form = {"decision": "give-up", "reason": "not wanted", "form_secret": secret[1]}
        decided = await browser.post(f"/console/parked/{case['id']}", data=form)
        assert decided.headers["location"] == f"/console/orders/de/{order['number']}?done=decided"
        assert "The decision was taken" in (await browser.get(decided.headers["location"])).text
        overview = (await browser.get("/console/")).text
    done = await until(working, order, lambda now: now["result"] is not None)
    assert done["stage"] == "given up"
    assert "awaiting payment" in overview


async def test_a_return_of_an_unknown_order_tells_nothing(working: Served, fresh_number: str) -> None:
    known = an_order(fresh_number)
    await working.post("/v1/checkouts", known, PORTAL)
    pages = [
        (await working.get(f"/v1/return/de/{number}?outcome=failure", "")).text.replace(number, "…")
        for number in (fresh_number, "never-placed")
    ]
    assert pages[0] == pages[1]
    assert (await working.get("/v1/return/fr/1", "")).status_code == 404
