"""Record the histories that `test_replay.py` replays: one for each path of a process, as JSON beside this file.

    python -m tests.histories.record [NAME ...]

Everything real is started for it (tests/flow/stand.py), so it takes a minute or two. Record a path anew only when its
process was changed on purpose and no merchant runs the old code: a change that fails the replay of a released history
needs `workflow.patched`. Workers' names and stack traces are left out: they name machines and folders.
"""

import asyncio
import json
import os
import sys
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

from temporalio.client import WorkflowHandle

from commerce.documents import Stage
from tests.flow.orders import gateway_payments, line, on_account, portal_order
from tests.flow.stand import standing
from tests.flow.world import World
from workflows.endpoint_watch import EndpointView, EndpointWatch

FOLDER = Path(__file__).parent
DAY = timedelta(hours=25)
AnyHandle = WorkflowHandle[Any, Any]
DOWN = {"kind": "down"}


async def paid_by_link_in_the_shop(world: World) -> AnyHandle:
    key = await world.place_in_shop()
    await world.link_of(key)
    await world.pay(key)
    await world.ends(key)
    return world.run(key)


async def failed_then_paid(world: World) -> AnyHandle:
    order = portal_order()
    await world.place(order)
    await world.pay(order.key, do="fail")
    await world.runs.hint(order.key, "entry")
    await world.pay(order.key)
    await world.ends(order.key)
    return world.run(order.key)


async def erp_down_at_the_start(world: World) -> AnyHandle:
    order = portal_order()
    async with world.faults("salesforce", DOWN):
        await world.place(order)
    await world.pay(order.key)
    await world.ends(order.key)
    return world.run(order.key)


async def expired(world: World) -> AnyHandle:
    order = portal_order()
    await world.place(order)
    await world.skip_time(order.key, DAY)
    await world.ends(order.key)
    return world.run(order.key)


async def part_paid_and_given_up(world: World) -> AnyHandle:
    order = portal_order()
    await world.place(order)
    await world.pay(order.key, "40.00")
    await world.skip_time(order.key, DAY)
    await world.decide(await world.parks(order.key), "give-up")
    await world.ends(order.key)
    return world.run(order.key)


async def overpaid_and_given_up(world: World) -> AnyHandle:
    order = portal_order()
    await world.place(order)
    await world.pay(order.key, "120.00")
    await world.decide(await world.parks(order.key), "give-up")
    await world.ends(order.key)
    return world.run(order.key)


async def payment_failed_after_its_success(world: World) -> AnyHandle:
    order = portal_order()
    await world.place(order)
    await world.pay(order.key)
    await world.is_billed(order.key)
    await world.pay(order.key, do="fail")
    case = await world.parks(order.key, step="confirm payment")
    await world.pay(order.key)
    await world.decide(case, "retry")
    await world.ends(order.key)
    return world.run(order.key)


async def cancelled_before_payment(world: World) -> AnyHandle:
    key = await world.place_in_shop()
    await world.link_of(key)
    await world.cancel(key)
    await world.ends(key)
    return world.run(key)


async def cancelled_after_the_capture(world: World) -> AnyHandle:
    order = portal_order()
    await world.place(order)
    await world.pay(order.key)
    await world.is_billed(order.key)
    await world.cancel(order.key)
    await world.ends(order.key)
    return world.run(order.key)


async def cancelled_after_the_invoice(world: World) -> AnyHandle:
    key = await world.place_in_shop()
    await world.link_of(key)
    async with world.faults("magento", {"kind": "status", "status": 503, "match": {"path": "/invoice"}}):
        await world.pay(key)
        await world.reaches(key, Stage.WRITING_BACK, bill=True)
        await world.cancel(key)
    await world.ends(key)
    return world.run(key)


async def cancelled_through_the_engine(world: World) -> AnyHandle:
    order = portal_order()
    await world.place(order)
    await world.pay(order.key)
    await world.is_billed(order.key)
    await world.run(order.key).cancel()
    await world.ends(order.key)
    return world.run(order.key)


async def on_account_of_a_company(world: World) -> AnyHandle:
    order = on_account()
    await world.place(order)
    await world.ends(order.key)
    return world.run(order.key)


async def split_payments_cancelled(world: World) -> AnyHandle:
    order = portal_order(payments=gateway_payments("60.00", "40.24"))
    await world.place(order)
    await world.is_billed(order.key)
    await world.cancel(order.key)
    for amount in ("60.00 EUR", "40.24 EUR"):
        await world.decide(await world.parks(order.key, amount=amount), "skip")
    await world.ends(order.key)
    return world.run(order.key)


async def corrected_and_retried(world: World) -> AnyHandle:
    """Two cases, a correction, a retry that parks again, and reminders in between."""
    order = portal_order(total="99.99 EUR", lines=[line("1", "HF-1OO1")])
    await world.place(order)
    case = await world.parks(order.key)
    await world.skip_time(order.key, DAY)
    await world.decide(case, "correct", correction={"total": "100.24 EUR"})
    await world.decide(await world.parks(order.key, step="find items"), "retry")
    case = await world.parks(order.key, step="find items")
    await world.decide(case, "correct", correction={"lines": {"0": {"sku": "HF-1001"}}})
    await world.reaches(order.key, Stage.AWAITING_PAYMENT)
    await world.pay(order.key)
    await world.ends(order.key)
    return world.run(order.key)


async def mail_refused_and_skipped(world: World) -> AnyHandle:
    order = portal_order(customer={"kind": "guest", "email": "kim@refused.example"})
    await world.place(order)
    await world.pay(order.key)
    await world.decide(await world.parks(order.key, bill=True), "skip")
    await world.ends(order.key)
    return world.run(order.key)


async def late_charge_back(world: World) -> AnyHandle:
    order = portal_order()
    await world.place(order)
    await world.pay(order.key)
    await world.ends(order.key)
    await world.pay(order.key, do="chargeback")
    await world.decide(await world.late_parks(order.key), "skip")
    await world.late(order.key).result()
    return world.late(order.key)


async def late_money_paid_back(world: World) -> AnyHandle:
    order = portal_order()
    view = await world.place(order)
    await world.skip_time(order.key, DAY)
    await world.ends(order.key)
    await world.pay(order.key, do="late-pay")
    case = await world.late_parks(order.key)
    await world.refund(view.payment_link)
    await world.decide(case, "retry")
    await world.late(order.key).result()
    return world.late(order.key)


async def shop_away_and_back(world: World) -> AnyHandle:
    """The watch of one endpoint; the last path, because the watch stays."""
    await world.runs.start_watch("magento")
    watch = world.runs.watch("magento")

    def stands(state: str) -> Callable[[], Awaitable[bool]]:
        async def look() -> bool:
            view: EndpointView = await watch.query(EndpointWatch.view)
            return view.state == state

        return look

    await world.wait_until(stands("up"), what="the shop is watched")
    async with world.faults("magento", DOWN):
        await world.wait_until(stands("down"), what="the shop is down")
    await world.wait_until(stands("up"), within=60, what="the shop is back")
    return watch


PATHS: tuple[Callable[[World], Awaitable[AnyHandle]], ...] = (
    paid_by_link_in_the_shop,
    failed_then_paid,
    erp_down_at_the_start,
    expired,
    part_paid_and_given_up,
    overpaid_and_given_up,
    payment_failed_after_its_success,
    cancelled_before_payment,
    cancelled_after_the_capture,
    cancelled_after_the_invoice,
    cancelled_through_the_engine,
    on_account_of_a_company,
    split_payments_cancelled,
    corrected_and_retried,
    mail_refused_and_skipped,
    late_charge_back,
    late_money_paid_back,
    shop_away_and_back,
)


def file_of(name: str) -> Path:
    return FOLDER / f"{name}.json"


def _plain(value: Any) -> Any:
    """The history without names of machines and folders."""
    if isinstance(value, list):
        return [_plain(part) for part in value]
    if isinstance(value, dict):
        kept = {name: _plain(part) for name, part in value.items() if name != "stackTrace"}
        if str(kept.get("kind", "")).endswith("STICKY"):  # a queue that is named after process and machine
            kept["name"] = "sticky"
        return kept | ({"identity": "worker"} if "identity" in kept else {})
    return value


async def main(names: list[str]) -> int:
    unknown = set(names) - {path.__name__ for path in PATHS}
    if unknown:
        print(f"unknown: {', '.join(sorted(unknown))}; known: {', '.join(path.__name__ for path in PATHS)}")
        return 2
    async with standing() as stand, stand.workers():
        world = World(stand)
        for path in PATHS:
            if names and path.__name__ not in names:
                continue
            handle = await path(world)
            history = _plain(json.loads((await handle.fetch_history()).to_json()))
            text = json.dumps({"workflowId": handle.id, **history}, ensure_ascii=False, separators=(",", ":"))
            file_of(path.__name__).write_text(text + "\n", encoding="utf-8")
            print(f"{path.__name__}: {len(history['events'])} events, {len(text) // 1000} kB")
    return 0


if __name__ == "__main__":
    code = asyncio.run(main(sys.argv[1:]))
    sys.stdout.flush()
    os._exit(code)  # the engine's SDK may abort in its own clean-up at interpreter exit
