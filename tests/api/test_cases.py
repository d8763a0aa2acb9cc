"""Parked cases over the API with real runs: many retried at once, moved to somebody else, and what is told of them."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.api.desk import APPROVER, GERMAN, OPERATOR, PORTAL, Served, an_order, engine_of, served, with_tokens
from tests.flow.stand import Stand, standing

WITHIN = 60.0  # seconds
_skus = itertools.count(1)


@pytest.fixture(scope="module")
async def stand() -> AsyncIterator[Stand]:
    async with standing() as made, made.workers():
        yield made


@pytest.fixture(scope="module")
async def working(stand: Stand) -> AsyncIterator[Served]:
    settings = with_tokens(stand.settings, answer_within_seconds=20.0)
    async with served(settings, stand.ledger, engine_of(stand.client)) as running:
        yield running


async def until(look: Callable[[], Any], what: str) -> Any:
    deadline = asyncio.get_running_loop().time() + WITHIN
    while not (found := await look()):
        assert asyncio.get_running_loop().time() < deadline, what
        await asyncio.sleep(0.1)
    return found


async def parked(api: Served, number: str, *, sku: str) -> dict[str, Any]:
    """The case of a new order with an item that the ERP does not know."""
    order = an_order(number)
    order["lines"][0]["sku"] = sku
    placed = await api.post("/v1/checkouts", order, PORTAL)
    assert placed.status_code == 202, placed.text
    case: dict[str, Any] = placed.json()["cases"][0]
    return case


async def several(api: Served, number: str, count: int) -> tuple[str, list[dict[str, Any]]]:
    """An unknown item, and the cases that wait for it."""
    sku = f"NEW-{next(_skus)}-{number[-4:]}"
    return sku, await asyncio.gather(*(parked(api, f"{number}-{i}", sku=sku) for i in range(count)))


async def retry(api: Served, token: str = APPROVER, **body: Any) -> dict[str, Any]:
    reply = await api.post("/v1/parked/retry", {"reason": "the item is there now", **body}, token)
    assert reply.status_code == 200, reply.text
    answer: dict[str, Any] = reply.json()
    return answer


async def test_a_dry_run_tells_cases_and_money_and_changes_nothing(working: Served, fresh_number: str) -> None:
    sku, cases = await several(working, fresh_number, 3)
    answer = await retry(working, OPERATOR, error=sku, dry_run=True)
    assert {case["case_id"] for case in answer["cases"]} == {case["id"] for case in cases}
    assert answer["counts"] == {"would retry": 3}
    assert answer["money"] == [{"minor": 3 * 9984, "currency": "EUR"}]
    assert [case["opened_at"] for case in answer["cases"]] == sorted(case["opened_at"] for case in answer["cases"])
    still = (await working.get("/v1/parked")).json()["cases"]
    assert {case["id"] for case in cases} <= {case["id"] for case in still}
    for narrower in ({"system": "magento"}, {"step": "check totals"}, {"store": "us"}, {"older_than_seconds": 3600}):
        assert (await retry(working, error=sku, dry_run=True, **narrower))["cases"] == []


async def test_all_that_fit_are_retried_in_the_callers_name_and_go_on(
    working: Served, stand: Stand, fresh_number: str
) -> None:
    sku, cases = await several(working, fresh_number, 3)
    _, others = await several(working, f"{fresh_number}-x", 1)
    await asyncio.to_thread(lambda: stand.sandbox.act("salesforce", "change-item", sku=sku, name="New lamp"))
    answer = await retry(working, error=sku.lower(), system="financialforce", step="find items")
    assert answer["counts"] == {"accepted": 3}
    for case in cases:
        path = f"/v1/parked/{case['id']}"

        async def closed(path: str = path) -> dict[str, Any] | None:
            shown: dict[str, Any] = (await working.get(path)).json()
            return None if shown["open"] else shown

        shown = await until(closed, f"{path} is closed")
        assert (shown["decision"]["kind"], shown["decision"]["by"]) == ("retry", "anna")
        assert shown["history"][-1]["text"] == "retry: the item is there now"
        order = (await working.get(f"/v1/orders/de/{case['number']}")).json()
        assert order["cases"] == []
    assert (await working.get(f"/v1/parked/{others[0]['id']}")).json()["open"]


async def test_a_case_decided_meanwhile_is_told_and_is_no_error_of_the_whole(
    working: Served, fresh_number: str
) -> None:
    _, cases = await several(working, fresh_number, 2)
    ids = [case["id"] for case in cases]
    gone = await working.post(f"/v1/parked/{ids[0]}/decision", {"decision": "give-up", "reason": "not wanted"})
    assert gone.status_code == 200

    async def kept() -> bool:
        return not (await working.get(f"/v1/parked/{ids[0]}")).json()["open"]

    await until(kept, "the decision is kept")
    answer = await retry(working, cases=ids)
    outcomes = {case["case_id"]: (case["outcome"], case["message"]) for case in answer["cases"]}
    assert outcomes[ids[0]] == ("decided meanwhile", "anna decided give-up")
    assert outcomes[ids[1]][0] == "accepted"
    again = await working.post(f"/v1/parked/{ids[0]}/decision", {"decision": "retry", "reason": "no, do"})
    assert again.status_code == 409
    assert "anna decided give-up: not wanted" in again.json()["error"]["message"]


async def test_who_may_not_decide_may_only_look_and_only_at_own_stores(
    working: Served, stand: Stand, fresh_number: str
) -> None:
    sku, [case] = await several(working, fresh_number, 1)
    body = {"error": sku, "reason": "x"}
    assert (await working.post("/v1/parked/retry", body, OPERATOR)).status_code == 403
    assert (await working.post("/v1/parked/retry", body, PORTAL)).status_code == 403
    foreign = (await stand.ledger.case(case["id"]) or pytest.fail("the case is kept"))[0].model_copy(
        update={"id": f"ch:{fresh_number}:1", "store": "ch", "order_key": f"ch:{fresh_number}"}
    )
    await stand.ledger.open_case(foreign)
    try:
        seen = await retry(working, GERMAN, error=sku, dry_run=True)
        assert [row["case_id"] for row in seen["cases"]] == [case["id"]]
        named = await retry(working, GERMAN, cases=[foreign.id])
        assert named["cases"] == [], "what may not be seen is not even known"
    finally:
        await stand.ledger.close_case(foreign.id, None, "the test is over", datetime.now(UTC))


async def test_a_case_whose_run_was_ended_from_outside_is_refused_once_and_then_off_the_list(
    working: Served, stand: Stand, fresh_number: str
) -> None:
    _, [case] = await several(working, fresh_number, 1)
    await stand.client.get_workflow_handle(f"checkout:de:{case['number']}").terminate("by hand")
    [told] = (await retry(working, cases=[case["id"]]))["cases"]
    assert told["outcome"] == "refused"
    assert "was ended from outside" in told["message"]
    assert case["id"] not in {still["id"] for still in (await working.get("/v1/parked")).json()["cases"]}
    again = await working.post(f"/v1/parked/{case['id']}/decision", {"decision": "retry", "reason": "x"})
    assert again.json()["error"]["code"] == "closed"


async def test_a_case_becomes_somebody_elses_move_once_however_often_it_is_asked(
    working: Served, fresh_number: str
) -> None:
    _, [case] = await several(working, fresh_number, 1)
    path = f"/v1/parked/{case['id']}"
    shown = (await working.get(path)).json()
    assert shown["assignee"] == "operators"
    assert shown["commands"][0] == f'starter.py resolve {case["id"]} --decision retry --reason "…"'
    for to in ("anna", "anna", "kim", "anna"):
        reply = await working.post(f"{path}/reassign", {"to": to, "reason": "knows it"})
        assert (reply.status_code, reply.json()["to"]) == (200, to), reply.text
    shown = (await working.get(path)).json()
    assert shown["assignee"] == "anna"
    moves = [event["text"] for event in shown["history"] if event["what"] == "reassigned"]
    assert moves == [
        "from operators to anna: knows it",
        "from anna to kim: knows it",
        "from kim to anna: knows it",
    ]
    assert (await working.post(f"{path}/reassign", {"to": "x", "reason": "y"}, OPERATOR)).status_code == 403
    assert (await working.post("/v1/parked/de:0:1/reassign", {"to": "x", "reason": "y"})).status_code == 404
    assert (await working.post(f"{path}/reassign", {"to": " ", "reason": "y"})).status_code == 422
