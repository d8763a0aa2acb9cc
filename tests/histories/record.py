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

from activities.fulfillment import FulfillmentView
from commerce.documents import CancelRequest, DecisionKind, Stage
from commerce.fulfillment import State
from tests.flow.orders import gateway_payments, line, on_account, portal_order
from tests.flow.stand import standing
from tests.flow.test_goods import WITHIN, bought, decide, deliver, goods, parked, shipments, written
from tests.flow.world import World
from workflows.endpoint_messages import EndpointView
from workflows.endpoint_watch import EndpointWatch
from workflows.order_fulfillment_tracking import OrderFulfillmentTracking

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


async def replaced_in_the_shop(world: World) -> AnyHandle:
    return world.run((await _edited(world))[0])


async def in_the_place_of_an_edited_order(world: World) -> AnyHandle:
    return world.run((await _edited(world))[1])


async def _edited(world: World) -> tuple[str, str]:
    """An order that is changed before it is paid, and the one in its place, paid and invoiced."""
    first = await world.place_in_shop()
    await world.link_of(first)
    made = await world.act("magento", "edit-order", increment_id=first[3:], items=[{"sku": "HF-1001", "qty": 1}])
    second = f"de:{made['increment_id']}"
    await world.link_of(second)
    await world.pay(second)
    await world.ends(second)
    await world.run(first).result()
    return first, second


async def goods_shipped_and_delivered(world: World) -> AnyHandle:
    key = await bought(world, ("HF-1001", 2))
    await world.act("salesforce", "ship", order=key, tracking=f"H1-{key[3:]}")
    await goods(world, key, written(1), "the shipment is in the shop")
    await deliver(world, f"H1-{key[3:]}")
    return await arrived(world, key)


async def goods_split_on_account(world: World) -> AnyHandle:
    """Two shipments, of which each is invoiced in the shop; the second gets its number later."""
    terms = {"company": 501, "customer": None, "payment_method": "purchaseorder", "po_number": "PO-1"}
    key = await world.place_in_shop(("HF-1001", 3), **terms)
    await world.ends(key)
    await world.act("salesforce", "approve", order=key)
    await ship(world, key, 1, tracking=f"H2-{key[3:]}")
    await goods(world, key, written(1), "the first shipment is in the shop")
    made = await world.act("salesforce", "ship", order=key, tracking=None)
    await goods(world, key, written(2), "the second shipment is in the shop")
    await world.act("salesforce", "track", shipping=made["shippings"][0], tracking=f"H3-{key[3:]}")
    for number in (f"H2-{key[3:]}", f"H3-{key[3:]}"):
        await deliver(world, number)
    return await arrived(world, key)


async def goods_cancelled_in_part(world: World) -> AnyHandle:
    key = await bought(world, ("HF-1001", 3))
    await ship(world, key, 1, tracking=f"H4-{key[3:]}")
    await goods(world, key, written(1), "the shipment is in the shop")
    request = CancelRequest(by="portal", reason="one is enough")
    await world.runs.goods(key).execute_update(OrderFulfillmentTracking.cancel, request)
    await decide(world, await parked(world, key), DecisionKind.SKIP)
    await deliver(world, f"H4-{key[3:]}")
    return await arrived(world, key)


async def goods_cancelled_while_a_shipment_waits(world: World) -> AnyHandle:
    key = await bought(world, ("HF-1001", 3))
    refused = {"kind": "status", "status": 400, "match": {"method": "POST", "path": r"/order/\d+/ship$"}}
    async with world.faults("magento", refused):
        await ship(world, key, 1, tracking=f"HA-{key[3:]}")
        case = await parked(world, key)
        request = CancelRequest(by="portal", reason="one is enough")
        await world.runs.goods(key).execute_update(OrderFulfillmentTracking.cancel, request)
    await decide(world, case, DecisionKind.RETRY)
    await goods(world, key, written(1), "the shipment is in the shop")
    await decide(world, await parked(world, key), DecisionKind.SKIP)
    await deliver(world, f"HA-{key[3:]}")
    return await arrived(world, key)


async def goods_while_the_erp_was_away(world: World) -> AnyHandle:
    key = await bought(world, ("HF-1001", 3))
    await ship(world, key, 1, tracking=f"H5-{key[3:]}")
    await goods(world, key, written(1), "the first shipment is in the shop")
    async with world.faults("salesforce", DOWN):
        await world.act("salesforce", "ship", order=key, tracking=f"H6-{key[3:]}")
        await world.runs.hint_goods(key, "fulfillment")

        async def tries_again() -> bool:
            steps = (await world.runs.goods(key).describe()).raw_description.pending_activities
            return any(step.attempt > 1 for step in steps)

        await world.wait_until(tries_again, what="the ERP is asked again")
    await goods(world, key, written(2), "the second shipment is in the shop")
    for number in (f"H5-{key[3:]}", f"H6-{key[3:]}"):
        await deliver(world, number)
    return await arrived(world, key)


async def goods_changed_after_their_end(world: World) -> AnyHandle:
    """The second run: a shipment that had arrived gets another number."""
    key = await bought(world, ("HF-1001", 1))
    made = await world.act("salesforce", "ship", order=key, tracking=f"H7-{key[3:]}")
    await goods(world, key, written(1), "the shipment is in the shop")
    await deliver(world, f"H7-{key[3:]}")
    await arrived(world, key)
    await world.act("salesforce", "track", shipping=made["shippings"][0], tracking=f"H8-{key[3:]}")

    def changed(view: FulfillmentView) -> bool:
        numbers = [track.number for shipment in view.shipments if shipment.written_back for track in shipment.tracks]
        return any(number.startswith("H8") for number in numbers)

    await goods(world, key, changed, "the other number is in the shop")
    await deliver(world, f"H8-{key[3:]}")
    return await arrived(world, key)


async def goods_followed_again(world: World) -> AnyHandle:
    """The shop lost a shipment, and somebody asks to look for it."""
    key = await bought(world, ("HF-1001", 1))
    await world.act("salesforce", "ship", order=key, tracking=f"H9-{key[3:]}")
    await goods(world, key, written(1), "the shipment is in the shop")
    [shown] = await shipments(world, key)
    await world.act("magento", "delete-shipment", entity_id=shown["id"])
    await world.runs.follow_goods(key)

    async def is_back() -> bool:
        return bool(await shipments(world, key))

    await world.wait_until(is_back, what="the shipment is written again")
    await deliver(world, f"H9-{key[3:]}")
    return await arrived(world, key)


async def ship(world: World, key: str, quantity: int, tracking: str) -> None:
    lines = [{"sku": "HF-1001", "quantity": quantity}]
    await world.act("salesforce", "ship", order=key, tracking=tracking, lines=lines)


async def arrived(world: World, key: str) -> AnyHandle:
    """The run of the order's goods, once it has ended with everything delivered."""
    handle = world.runs.goods(key)
    async with asyncio.timeout(WITHIN):
        assert (await handle.result()).state is State.DELIVERED
    return handle


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
    replaced_in_the_shop,
    in_the_place_of_an_edited_order,
    late_charge_back,
    late_money_paid_back,
    goods_shipped_and_delivered,
    goods_split_on_account,
    goods_cancelled_in_part,
    goods_cancelled_while_a_shipment_waits,
    goods_while_the_erp_was_away,
    goods_changed_after_their_end,
    goods_followed_again,
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
