"""Who may do what. Every address is tried with every role, so that a new one cannot be forgotten."""

import pytest

from activities.ledger.store import Ledger
from commerce.order import Order
from tests.api.desk import APPROVER, GERMAN, OPERATOR, PORTAL, Served, an_order

PUBLIC = {"/healthz", "/readyz", "/v1/webhooks/{system}", "/v1/return/{store}/{number}"}
NEEDS = {
    ("POST", "/v1/checkouts"): "portal",
    ("GET", "/v1/orders"): "portal",
    ("GET", "/v1/orders/{store}/{number}"): "portal",
    ("POST", "/v1/orders/{store}/{number}/cancel"): "portal",
    ("GET", "/v1/parked"): "operator",
    ("GET", "/v1/parked/{case_id}"): "operator",
    ("POST", "/v1/parked/{case_id}/decision"): "approver",
    ("GET", "/v1/endpoints"): "operator",
    ("POST", "/v1/endpoints/{endpoint}/pause"): "approver",
    ("POST", "/v1/endpoints/{endpoint}/resume"): "approver",
    ("GET", "/v1/quarantine"): "operator",
    ("GET", "/v1/handovers"): "operator",
    ("GET", "/v1/stuck"): "operator",
    ("POST", "/v1/orders/{store}/{number}/stuck"): "approver",
    ("POST", "/v1/parked/{case_id}/reassign"): "approver",
    ("POST", "/v1/parked/retry"): "operator",  # a look; deciding asks for an approver
    ("POST", "/v1/quarantine/{notification_id}/release"): "approver",
    ("GET", "/v1/reconciliations"): "operator",
    ("POST", "/v1/reconciliations"): "operator",
    ("GET", "/v1/reconciliations/{id}"): "operator",
    ("GET", "/v1/reconciliations/{id}/differences"): "operator",
    ("GET", "/v1/late"): "operator",
    ("POST", "/v1/orders/{store}/{number}/follow"): "operator",
    ("POST", "/v1/orders/{store}/{number}/transfers"): "approver",
}
TOKEN_OF = {"portal": PORTAL, "operator": OPERATOR, "approver": APPROVER}
RANKS = list(TOKEN_OF)


async def ask(api: Served, method: str, path: str, token: str) -> tuple[int, str]:
    filled = path.replace("{store}", "de").replace("{number}", "unknown").replace("{case_id}", "de:unknown:1")
    filled = filled.replace("{endpoint}", "unknown").replace("{notification_id}", "999999").replace("{id}", "unknown")
    reply = await (api.post(filled, {}, token) if method == "POST" else api.get(filled, token))
    return reply.status_code, reply.text


async def test_every_address_is_public_or_has_a_role(api: Served) -> None:
    document = (await api.get("/openapi.json", "")).json()
    paths = {(method.upper(), path.replace(":path", "")) for path, item in document["paths"].items() for method in item}
    assert {found for found in paths if found[1] not in PUBLIC} == set(NEEDS)


@pytest.mark.parametrize(("method", "path"), NEEDS)
async def test_each_role_may_do_what_it_is_for_and_no_more(api: Served, method: str, path: str) -> None:
    for token in ("", "wrong-token-wrong-token-wrong", f"{PORTAL}x", "tökén"):
        if token.isascii():
            assert (await ask(api, method, path, token))[0] == 401
    for role, token in TOKEN_OF.items():
        status, text = await ask(api, method, path, token)
        if RANKS.index(role) < RANKS.index(NEEDS[method, path]):
            assert status == 403
            assert "role-too-low" in text
        else:
            assert status not in (401, 403), text


async def test_a_token_of_one_store_sees_only_that_store(api: Served, ledger: Ledger, fresh_number: str) -> None:
    for store in ("de", "ch"):
        placed = Order.model_validate(an_order(fresh_number)).model_copy(update={"store": store})
        await ledger.keep_order(placed, f"checkout:{placed.key}")
    found = (await api.get(f"/v1/orders?number={fresh_number}", GERMAN)).json()["orders"]
    assert [row["store"] for row in found] == ["de"]
    refused = await api.get(f"/v1/orders/ch/{fresh_number}", GERMAN)
    assert refused.status_code == 403
    assert refused.json()["error"]["code"] == "other-store"
    placed_there = await api.post("/v1/checkouts", an_order(fresh_number, store="ch"), GERMAN)
    assert placed_there.status_code == 403
    cancelled = await api.post(f"/v1/orders/ch/{fresh_number}/cancel", {"reason": "x"}, GERMAN)
    assert cancelled.status_code == 403
