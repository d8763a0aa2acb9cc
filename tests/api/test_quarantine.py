"""Quarantine with the real process behind it: what could not be read is told, and released by a person."""

import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.api.desk import APPROVER, GERMAN, OPERATOR, Served, engine_of, served, with_tokens
from tests.flow.stand import Stand, standing
from tests.flow.world import Stage, World

WITHIN = 60.0  # seconds


@pytest.fixture(scope="module")
async def stand() -> AsyncIterator[Stand]:
    async with standing() as made:
        yield made


@pytest.fixture(scope="module")
async def working(stand: Stand) -> AsyncIterator[Served]:
    settings = with_tokens(stand.settings, answer_within_seconds=20.0)
    async with served(settings, stand.ledger, engine_of(stand.client)) as running:
        yield running


async def listed(api: Served, token: str = APPROVER) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await api.get("/v1/quarantine", token)).json()["notifications"]
    return found


async def release(api: Served, number: int, token: str = APPROVER, **body: Any) -> tuple[int, dict[str, Any]]:
    reply = await api.post(f"/v1/quarantine/{number}/release", {"reason": "it is mended", **body}, token)
    return reply.status_code, reply.json()


async def test_an_order_of_a_store_that_was_not_configured_is_released_into_its_run(
    working: Served, stand: Stand
) -> None:
    world, whole = World(stand), stand.settings
    known = {code: store for code, store in whole.stores.items() if code != "us"}
    stand.settings = whole.model_copy(update={"stores": known})
    try:
        async with stand.workers():
            key = await world.place_in_shop(store="us", customer=None)

            async def kept() -> list[dict[str, Any]]:
                return [row for row in await listed(working) if row["reference"] == key]

            [row] = await world.wait_until(kept, within=WITHIN, what=f"{key} is quarantined")
            assert "no [stores.us] is configured" in row["reason"]
            assert row["reference"] not in {seen["reference"] for seen in await listed(working, GERMAN)}
            assert (await release(working, row["id"], GERMAN))[0] == 403
            status, told = await release(working, row["id"])
            assert (status, told["outcome"]) == (200, "quarantined again"), told
            assert "no [stores.us] is configured" in told["message"]
            subject = f"1 of magento in quarantine, from {key}"
            assert (await world.told_operators(subject))[0]["text"].startswith(f"{row['id']}  {key}: no [stores.us]")
    finally:
        stand.settings = whole
    status, told = await release(working, row["id"])
    assert (status, told["outcome"]) == (200, "waiting"), "no worker is there to read it"
    async with stand.workers():
        await world.reaches(key, Stage.AWAITING_PAYMENT, within=WITHIN)
    assert (await release(working, row["id"]))[0] == 409
    kept_row = await world.ledger.quarantined()
    assert key not in {one.reference for one in kept_row}


async def test_an_envelope_that_its_listener_still_cannot_read_stays_with_who_tried(
    working: Served, stand: Stand
) -> None:
    body = json.dumps({"id": "odd-2", "object": "Weather__c"}).encode()
    secret = stand.environment["SANDBOX_NOTIFY_SECRET"].encode()
    signed = {"x-holdfast-signature": f"sha256={hmac.new(secret, body, hashlib.sha256).hexdigest()}"}
    async with working.as_("") as vendor:
        reply = await vendor.post("/v1/webhooks/juston", content=body, headers=signed)
    assert reply.status_code == 202
    [row] = [row for row in await listed(working, OPERATOR) if row["system"] == "juston"]
    assert (await release(working, row["id"], OPERATOR))[0] == 403
    status, told = await release(working, row["id"])
    assert (status, told["outcome"]) == (200, "quarantined again")
    assert "Weather__c" in told["message"]
    [row] = [row for row in await listed(working) if row["system"] == "juston"]
    assert [(tried["by"], tried["reason"]) for tried in row["releases"]] == [("anna", "it is mended")]
    status, told = await release(working, row["id"], drop=True, reason="nothing of ours")
    assert (status, told["outcome"]) == (200, "dropped")
    assert row["id"] not in {one["id"] for one in await listed(working)}
    assert (await release(working, row["id"]))[0] == 409
    assert (await release(working, 10**9))[0] == 404
