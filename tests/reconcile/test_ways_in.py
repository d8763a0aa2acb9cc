"""Who asks for a comparison: a command over the API, and the clock. Operators hear what they have to act on."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import time

import pytest
from temporalio.client import WorkflowExecutionStatus

from activities.ledger.tables import notices
from cli.app import main
from commerce.reconciliation import PAIR_NAMES
from tests.api.desk import APPROVER, GERMAN, Served, engine_of, served, with_tokens
from tests.flow.orders import on_account
from tests.flow.stand import messages
from tests.flow.world import World
from tests.ledger.rows import rows
from tests.reconcile.desk import Org
from workflows.names import RECONCILIATION_SCHEDULE
from workflows.schedules import set_reconciliation


@pytest.fixture(scope="module")
async def api(world: World) -> AsyncIterator[Served]:
    stand = world.stand
    async with served(with_tokens(stand.settings), stand.ledger, engine_of(stand.client)) as running:
        yield running


@pytest.fixture(scope="module")
async def key(world: World) -> str:
    order = on_account()
    await world.runs.start_checkout(order)
    await world.ends(order.key, within=60)
    return order.key


async def test_the_command_compares_through_the_api_and_the_console_shows_the_report(
    api: Served, key: str, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["reconcile", "--since", "1d", "--store", "de", "--json", "--api", api.url, "--token", APPROVER]
    code = await asyncio.to_thread(main, command)
    report = json.loads(capsys.readouterr().out)
    assert code == (1 if report["differences"] else 0)
    assert [row["pair"] for row in report["pairs"]] == list(PAIR_NAMES)
    [latest] = (await api.get("/v1/reconciliations", params={"limit": 1})).json()["reconciliations"]
    assert (latest["state"], latest["report"]["verdict"]) == ("done", report["verdict"])
    async with api.as_("") as browser:
        await browser.post("/console/login", data={"token": APPROVER})
        page = await browser.get("/console/reconciliation")
    assert page.status_code == 200
    assert report["verdict"] in page.text


async def test_a_question_that_makes_no_sense_is_refused_with_the_field(api: Served) -> None:
    span = {"since": "2026-11-21T00:00:00Z", "until": "2026-11-22T00:00:00Z"}
    for more, status, said in (
        ({"until": "2026-11-20T00:00:00Z"}, 422, "later than since"),
        ({"pair": "everything"}, 422, "orders, payments"),
        ({"store": "nowhere"}, 422, "configured stores"),
    ):
        answer = await api.post("/v1/reconciliations", {**span, **more})
        assert answer.status_code == status, answer.text
        assert said in answer.text
    assert (await api.get("/v1/reconciliations/unknown")).status_code == 404
    assert (await api.get("/v1/reconciliations/unknown/differences")).status_code == 404
    limited = await api.post("/v1/reconciliations", span, GERMAN)
    assert limited.status_code == 403
    assert "name one" in limited.text


async def test_the_goods_of_an_order_are_followed_again_by_a_command(
    api: Served, key: str, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["follow", key, "--json", "--api", api.url, "--token", APPROVER]
    assert await asyncio.to_thread(main, command) == 0
    assert json.loads(capsys.readouterr().out) == {"order_key": key}
    unknown = await api.post("/v1/orders/de/unknown/follow", {})
    assert unknown.status_code == 409
    assert "no checkout has handed over" in unknown.text


async def test_the_clock_tells_operators_of_differences_and_once_that_all_is_in_step_again(
    world: World, key: str
) -> None:
    client = world.stand.client
    await set_reconciliation(client, at=time(2, 30), time_zone="Europe/Berlin", days=1)
    await set_reconciliation(client, at=time(3, 15), time_zone="Europe/Berlin", days=1)  # another worker, a new time
    schedule = client.get_schedule_handle(RECONCILIATION_SCHEDULE)
    spec = (await schedule.describe()).schedule.spec
    assert [(one.hour[0].start, one.minute[0].start) for one in spec.calendars] == [(3, 15)]
    try:
        await _trigger(world, 1)
        assert await _told(world) == []
        await Org(world).add_to_the_tax(key, "1.00")
        await _trigger(world, 2)
        [mail] = await _told(world)
        assert mail["subject"] == "Reconciliation: 2 differences"
        assert f"starter.py explain {key}" in mail["text"]
        await Org(world).add_to_the_tax(key, "-1.00")
        await _trigger(world, 3)
        await _trigger(world, 4)
        assert sorted(one["subject"] for one in await _told(world)) == [
            "Reconciliation: 2 differences",
            "Reconciliation: back in step",
        ]
    finally:
        await set_reconciliation(client, at=None, time_zone="UTC", days=1)
        await set_reconciliation(client, at=None, time_zone="UTC", days=1)


async def _trigger(world: World, number: int) -> None:
    schedule = world.stand.client.get_schedule_handle(RECONCILIATION_SCHEDULE)
    await schedule.trigger()

    async def ended() -> bool:
        runs = [
            run
            async for run in world.stand.client.list_workflows("WorkflowType = 'Reconciliation'")
            if run.id.startswith("reconciliation:scheduled")
        ]
        return sum(run.status is WorkflowExecutionStatus.COMPLETED for run in runs) >= number

    await world.wait_until(ended, within=90, what="the scheduled comparison ends")


async def _told(world: World) -> list[dict[str, str]]:
    """The mails to the operators, once none waits to be sent any more."""

    async def sent() -> bool:
        return all(row["state"] != "waiting" for row in await rows(world.ledger, notices))

    await world.wait_until(sent, within=60, what="every notice is sent")
    return [mail for mail in await messages(world.sandbox) if mail["subject"].startswith("Reconciliation: ")]
