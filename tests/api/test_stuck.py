"""A run that was ended in the engine: an approver starts it again, or dismisses it, and why is kept with the order."""

from datetime import UTC, datetime
from typing import Any

import pytest
from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.common import WorkflowIDReusePolicy

from activities.ledger.store import Ledger
from activities.ledger.stuck import StuckBook
from commerce.order import Order
from commerce.stuck import StuckRun
from tests.api.desk import APPROVER, GERMAN, OPERATOR, Served, an_order
from tests.api.test_console import form_secret, signed_in
from tests.api.test_console_goods import with_goods
from workflows.names import WORKFLOW_QUEUE, checkout_id, fulfillment_id

DISMISSED = {"decision": "dismiss", "reason": "a trial order"}
RESTARTED = {"decision": "restart", "reason": "the wrong one"}


async def ended(client: Client, ledger: Ledger, number: str, **changed: Any) -> StuckRun:
    """A checkout that was terminated before any worker took it up, as the workers list it."""
    placed = Order.model_validate(an_order(number))
    await ledger.keep_order(placed, checkout_id(placed.key))
    started = await client.start_workflow(
        "CheckoutPaymentInvoice",
        placed,
        id=checkout_id(placed.key),
        task_queue=WORKFLOW_QUEUE,
        id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
    )
    run = StuckRun(
        **{
            "workflow_id": started.id,
            "run_id": (await started.describe()).run_id,
            "process": "CheckoutPaymentInvoice",
            "kind": "ended",
            "reason": "terminated: a trial",
            "since": datetime.now(UTC),
            **changed,
        }
    )
    await started.terminate(reason="a trial")
    await StuckBook(ledger.engine).keep([run])
    return run


async def listed(api: Served, number: str) -> list[str]:
    return [run["run"] for run in (await api.get("/v1/stuck")).json()["runs"] if number in run["run"]]


async def test_what_is_dismissed_is_listed_no_more_and_the_order_tells_who_and_why(
    api: Served, engine_client: Client, ledger: Ledger, fresh_number: str
) -> None:
    run, path = await ended(engine_client, ledger, fresh_number), f"/v1/orders/de/{fresh_number}"
    assert await listed(api, fresh_number) == [run.workflow_id]
    order = (await api.get(path)).json()
    assert (order["ended_in_engine"], f"starter.py stuck de:{fresh_number} --restart" in order["stuck"]) == (True, True)
    reply = await api.post(f"{path}/stuck", DISMISSED)
    assert (reply.status_code, reply.json()["runs"]) == (200, [run.workflow_id])
    assert await listed(api, fresh_number) == []
    order = (await api.get(path)).json()
    assert (order["ended_in_engine"], order["stuck"]) == (False, "")
    [event] = order["timeline"]
    said = f"anna dismissed run {run.workflow_id}, which has ended (terminated: a trial): a trial order"
    assert (event["kind"], event["text"]) == ("decided", said)
    again = await api.post(f"{path}/stuck", DISMISSED)
    assert (again.status_code, again.json()["error"]["code"]) == (409, "not-ended")
    described = await engine_client.get_workflow_handle(run.workflow_id).describe()
    assert described.run_id == run.run_id, "nothing was started"


async def test_a_run_that_never_began_is_started_anew_with_its_order(
    api: Served, engine_client: Client, ledger: Ledger, fresh_number: str
) -> None:
    run = await ended(engine_client, ledger, fresh_number)
    reply = await api.post(f"/v1/orders/de/{fresh_number}/stuck", RESTARTED)
    assert reply.status_code == 200, reply.text
    described = await engine_client.get_workflow_handle(run.workflow_id).describe()
    assert described.run_id != run.run_id
    assert described.status is WorkflowExecutionStatus.RUNNING
    placed = await api.backing.engine.placed(f"de:{fresh_number}")
    assert placed is not None
    assert placed == Order.model_validate(an_order(fresh_number))
    assert await listed(api, fresh_number) == []
    told = [row["text"] for row in (await api.get(f"/v1/orders/de/{fresh_number}")).json()["timeline"]]
    assert not told or f"anna started run {run.workflow_id} again" in told[-1]


async def test_goods_whose_run_was_ended_are_followed_again(
    api: Served, engine_client: Client, ledger: Ledger, fresh_number: str
) -> None:
    key = (await with_goods(ledger, fresh_number)).order_key
    run = StuckRun(
        workflow_id=fulfillment_id(key),
        run_id="gone",
        process="OrderFulfillmentTracking",
        kind="ended",
        reason="terminated: a trial",
        since=datetime.now(UTC),
    )
    await StuckBook(ledger.engine).keep([run])
    assert (await api.post(f"/v1/orders/de/{fresh_number}/stuck", RESTARTED)).status_code == 200
    assert await api.backing.engine.look(run.workflow_id) is not None
    texts = [event["text"] for event in (await api.get(f"/v1/orders/de/{fresh_number}")).json()["timeline"]]
    assert f"anna started run {run.workflow_id} again, which had ended (terminated: a trial): the wrong one" in texts


async def test_a_run_of_which_the_engine_keeps_nothing_can_only_be_dismissed(
    api: Served, ledger: Ledger, fresh_number: str
) -> None:
    run = StuckRun(
        workflow_id=f"checkout:de:{fresh_number}",
        run_id="00000000-0000-4000-8000-000000000000",
        process="CheckoutPaymentInvoice",
        kind="ended",
        reason="terminated",
        since=datetime.now(UTC),
    )
    await ledger.keep_order(Order.model_validate(an_order(fresh_number)), run.workflow_id)
    await StuckBook(ledger.engine).keep([run])
    refused = await api.post(f"/v1/orders/de/{fresh_number}/stuck", RESTARTED)
    assert refused.status_code == 409
    assert "the engine keeps its history no more; settle the order by hand" in refused.json()["error"]["message"]
    assert await listed(api, fresh_number) == [run.workflow_id]
    assert (await api.post(f"/v1/orders/de/{fresh_number}/stuck", DISMISSED)).status_code == 200


@pytest.mark.parametrize("decision", [DISMISSED, RESTARTED])
async def test_a_run_that_fails_is_neither_dismissed_nor_started_again(
    api: Served, engine_client: Client, ledger: Ledger, fresh_number: str, decision: dict[str, str]
) -> None:
    await ended(engine_client, ledger, fresh_number, kind="failing")
    refused = await api.post(f"/v1/orders/de/{fresh_number}/stuck", decision)
    assert refused.status_code == 409
    assert "goes on by itself with the release that mends it" in refused.json()["error"]["message"]


@pytest.mark.parametrize(
    ("body", "field"),
    [({"decision": "forget", "reason": "x"}, "decision"), ({"decision": "dismiss", "reason": " "}, "reason")],
)
async def test_what_makes_no_decision_is_refused_by_name(api: Served, body: dict[str, str], field: str) -> None:
    refused = await api.post("/v1/orders/de/unknown/stuck", body)
    assert (refused.status_code, refused.json()["error"]["field"]) == (422, field)
    elsewhere = await api.post("/v1/orders/ch/unknown/stuck", DISMISSED, GERMAN)
    assert elsewhere.status_code == 403


async def test_an_approver_decides_it_on_the_orders_page_and_an_operator_does_not(
    api: Served, engine_client: Client, ledger: Ledger, fresh_number: str
) -> None:
    await ended(engine_client, ledger, fresh_number)
    path = f"/console/orders/de/{fresh_number}"
    async with signed_in(api, OPERATOR) as browser:
        assert "Start its run again, or dismiss it" not in (await browser.get(path)).text
    async with signed_in(api, APPROVER) as browser:
        page = (await browser.get(path)).text
        assert "Start its run again, or dismiss it" in page
        assert (await browser.post(f"{path}/stuck", data={**DISMISSED, "form_secret": "0" * 64})).status_code == 403
        form = {**DISMISSED, "form_secret": form_secret(page)}
        empty = await browser.post(f"{path}/stuck", data={**form, "reason": ""})
        assert (empty.status_code, 'id="stuck" open' in empty.text) == (422, True)
        done = await browser.post(f"{path}/stuck", data=form)
        page = (await browser.get(done.headers["location"])).text
    assert "The run is listed no more" in page
    assert "anna dismissed run" in page
    assert "Start its run again" not in page
