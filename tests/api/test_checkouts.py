"""What a portal can rely on when it places an order: one run per number, and nothing accepted that is not held."""

import asyncio
from typing import Any

import pytest
from temporalio.client import Client

from activities.ledger.store import Ledger
from commerce.documents import CheckoutResult, OrderView, Stage
from commerce.order import Order
from tests.api.desk import APPROVER, PORTAL, Served, an_order


async def runs_of(client: Client, order: dict[str, Any]) -> int:
    """How many runs were ever started for this order. Visibility lags; the run itself does not."""
    handle = client.get_workflow_handle(f"checkout:{order['store']}:{order['number']}")
    events = [event async for event in handle.fetch_history_events()]
    return sum(event.HasField("workflow_execution_started_event_attributes") for event in events)


async def is_unknown(api: Served, order: dict[str, Any]) -> bool:
    return await api.backing.engine.look(f"checkout:{order['store']}:{order['number']}") is None


async def test_an_order_that_no_worker_takes_up_is_accepted_and_says_where_to_ask(
    api: Served, engine_client: Client, order: dict[str, Any]
) -> None:
    reply = await api.post("/v1/checkouts", order, PORTAL)
    assert reply.status_code == 202
    assert reply.headers["location"] == f"{api.backing.public_url}/v1/orders/de/{order['number']}"
    assert reply.json()["payment_link"] is None
    assert reply.json()["amount"] == {"minor": 9984, "currency": "EUR"}
    assert await runs_of(engine_client, order) == 1
    asked = await api.get(f"/v1/orders/de/{order['number']}", PORTAL)
    assert asked.status_code == 200
    assert asked.json()["live"] is False
    assert "no worker" in asked.json()["next"]


async def test_the_same_order_ten_times_at_once_is_one_run(
    api: Served, engine_client: Client, order: dict[str, Any]
) -> None:
    replies = await asyncio.gather(*(api.post("/v1/checkouts", order, PORTAL) for _ in range(10)))
    assert {reply.status_code for reply in replies} == {202}
    assert await runs_of(engine_client, order) == 1


async def test_another_order_under_a_waiting_number_is_refused_with_the_differences(
    api: Served, order: dict[str, Any]
) -> None:
    await api.post("/v1/checkouts", order, PORTAL)
    reply = await api.post("/v1/checkouts", {**order, "note": "please ring twice"}, PORTAL)
    assert reply.status_code == 409
    assert reply.json()["error"]["code"] == "different-content"
    assert reply.json()["error"]["details"] == ['note: known nothing, given "please ring twice"']


async def test_another_order_under_a_known_number_is_refused_from_the_ledger(
    api: Served, ledger: Ledger, order: dict[str, Any]
) -> None:
    await ledger.keep_order(Order.model_validate(order), f"checkout:de:{order['number']}")
    reply = await api.post("/v1/checkouts", {**order, "language": "en"}, PORTAL)
    assert reply.status_code == 409
    assert reply.json()["error"]["details"] == ['language: known "de", given nothing']


async def test_an_ended_order_gets_its_answer_from_the_ledger(
    api: Served, ledger: Ledger, order: dict[str, Any]
) -> None:
    placed = Order.model_validate(order)
    await ledger.keep_order(placed, f"checkout:{placed.key}")
    view = OrderView(
        order_key=placed.key,
        store="de",
        number=placed.number,
        stage=Stage.EXPIRED,
        amount=placed.total,
        payment_link="http://pay.example/used",
        payment_state="due",
    )
    result = CheckoutResult(order_key=placed.key, outcome=Stage.EXPIRED, reason="nobody paid")
    await ledger.close_order(view, result, hand_over=False)
    reply = await api.post("/v1/checkouts", order, PORTAL)
    assert reply.status_code == 200
    assert reply.json()["stage"] == "expired"
    assert reply.json()["payment_link"] is None, "a link that cannot be used any more is not handed out"
    assert (await api.get(f"/v1/orders/de/{placed.number}")).json()["result"]["reason"] == "nobody paid"
    assert await is_unknown(api, order), "an ended order is not started again"
    cancelled = await api.post(f"/v1/orders/de/{placed.number}/cancel", {"reason": "too late"})
    assert cancelled.status_code == 409
    assert "expired" in cancelled.json()["error"]["message"]


async def test_a_completed_order_is_not_cancelled_by_who_wants_no_person(
    api: Served, ledger: Ledger, order: dict[str, Any]
) -> None:
    placed = Order.model_validate(order)
    await ledger.keep_order(placed, f"checkout:{placed.key}")
    view = OrderView(order_key=placed.key, store="de", number=placed.number, stage=Stage.COMPLETED, amount=placed.total)
    await ledger.close_order(view, CheckoutResult(order_key=placed.key, outcome=Stage.COMPLETED), hand_over=False)
    body = {"reason": "pressed cancel", "unattended": True}
    refused = await api.post(f"/v1/orders/de/{placed.number}/cancel", body, PORTAL)
    assert refused.status_code == 409
    assert refused.json()["error"]["code"] == "needs-a-person"


async def test_an_order_that_does_not_add_up_is_refused_with_every_difference(
    api: Served, order: dict[str, Any]
) -> None:
    reply = await api.post("/v1/checkouts", {**order, "total": "99.83 EUR"}, PORTAL)
    assert reply.status_code == 422
    error = reply.json()["error"]
    assert error["code"] == "totals"
    assert error["details"] == [
        "total: the parts add up to 99.84 EUR, but total says 99.83 EUR (difference -0.01 EUR)",
        "payments: they sum up to 99.84 EUR, but total says 99.83 EUR (difference 0.01 EUR)",
    ]
    assert await is_unknown(api, order)


@pytest.mark.parametrize(
    ("changed", "field", "said"),
    [
        ({"store": "fr"}, "store", "configured stores: ch, de, jp, kw, us"),
        ({"totl": "1.00 EUR"}, "totl", "check its spelling"),
        ({"currency": "EURO"}, "currency", "ISO 4217"),
        ({"total": {"minor": 99.84, "currency": "EUR"}}, "total.minor", "integer"),
        ({"note": "a\x00b"}, "note", "NUL"),
        ({"note": "a\ud83db"}, "note", "half a character"),
        ({"placed_at": "2026-11-21T10:15:30"}, "placed_at", "timezone"),
        ({"number": "a:b"}, "number", "pattern"),
        ({"lines": []}, "lines", "at least 1"),
    ],
)
async def test_an_order_that_cannot_be_kept_is_refused_by_field(
    api: Served, order: dict[str, Any], changed: dict[str, Any], field: str, said: str
) -> None:
    reply = await api.post("/v1/checkouts", {**order, **changed}, PORTAL)
    assert reply.status_code == 422, reply.text
    assert reply.json()["error"]["field"] == field
    assert said in reply.json()["error"]["message"]


@pytest.mark.parametrize(
    ("content", "status"), [(b"{", 400), (b"[]", 400), (b'{"quantity": NaN}', 400), (b" " * 1_100_000, 413)]
)
async def test_a_body_that_is_no_order_is_refused(api: Served, content: bytes, status: int) -> None:
    reply = await api.post("/v1/checkouts", content=content, token=PORTAL)
    assert reply.status_code == status
    assert set(reply.json()["error"]) == {"code", "message"}


async def test_without_postgres_no_order_is_accepted(without_postgres: Served, order: dict[str, Any]) -> None:
    reply = await without_postgres.post("/v1/checkouts", order, PORTAL)
    assert reply.status_code == 503
    assert int(reply.headers["retry-after"]) > 0
    assert "send the same request again" in reply.json()["error"]["message"]
    assert await is_unknown(without_postgres, order)


async def test_without_temporal_no_order_is_accepted(without_engine: Served, order: dict[str, Any]) -> None:
    reply = await without_engine.post("/v1/checkouts", order, PORTAL)
    assert reply.status_code == 503
    assert int(reply.headers["retry-after"]) > 0
    assert await without_engine.backing.ledger.order(f"de:{order['number']}") is None


async def test_without_temporal_a_known_order_is_still_shown(without_engine: Served, ledger: Ledger) -> None:
    await ledger.keep_order(Order.model_validate(an_order("100")), "checkout:de:100")
    reply = await without_engine.get("/v1/orders/de/100")
    assert reply.status_code == 200
    assert reply.json()["live"] is False
    assert reply.json()["amount"] == {"minor": 9984, "currency": "EUR"}
    assert (await without_engine.get("/v1/orders/de/101")).status_code == 503, "nobody can say that it is unknown"


async def test_a_run_that_was_ended_from_outside_is_told(
    api: Served, ledger: Ledger, engine_client: Client, order: dict[str, Any]
) -> None:
    await api.post("/v1/checkouts", order, PORTAL)
    await engine_client.get_workflow_handle(f"checkout:de:{order['number']}").terminate("by mistake")
    again = await api.post("/v1/checkouts", order, PORTAL)
    assert again.status_code == 409
    assert again.json()["error"]["code"] == "run-ended"
    await ledger.keep_order(Order.model_validate(order), f"checkout:de:{order['number']}")
    shown = (await api.get(f"/v1/orders/de/{order['number']}")).json()
    assert shown["live"] is False
    assert "terminated from outside" in shown["next"]


async def test_an_unknown_order_is_not_found(api: Served) -> None:
    reply = await api.get("/v1/orders/de/never-placed", PORTAL)
    assert reply.status_code == 404
    assert reply.json()["error"]["message"].startswith("order de:never-placed is not known")
    assert (await api.post("/v1/orders/de/never-placed/cancel", {"reason": "x"})).status_code == 404


async def test_a_search_finds_orders_by_number_in_every_store(api: Served, ledger: Ledger) -> None:
    for store, currency in (("de", "EUR"), ("ch", "CHF")):
        text = Order.model_validate(an_order("77")).model_dump_json().replace('"EUR"', f'"{currency}"')
        placed = Order.model_validate_json(text).model_copy(update={"store": store})
        await ledger.keep_order(placed, f"checkout:{placed.key}")
    found = (await api.get("/v1/orders?number=77", APPROVER)).json()["orders"]
    assert {row["order_key"] for row in found} == {"de:77", "ch:77"}
    assert (await api.get("/v1/orders?number=78", APPROVER)).json()["orders"] == []
    assert (await api.get("/v1/orders?limit=0", APPROVER)).status_code == 422
