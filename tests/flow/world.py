"""A whole process under test: place orders, pay them, decide, and read the books of every system for one order."""

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from typing import Any, TypeVar
from urllib.parse import quote

import httpx2
from temporalio.client import WorkflowHandle
from temporalio.service import RPCError, RPCStatusCode

from commerce.documents import CLOSED_STAGES, CancelRequest, Case, CheckoutResult, Decision, DecisionKind, OrderView
from commerce.documents import Stage as Stage
from commerce.order import Order
from tests.flow.stand import Stand, messages
from workflows.checkout_payment_invoice import CheckoutPaymentInvoice
from workflows.late_payment import LatePayment
from workflows.names import late_payment_id
from workflows.start import EngineRuns
from workflows.whole_tasks import asked

T = TypeVar("T")
Books = dict[str, list[str]]
Handle = WorkflowHandle[CheckoutPaymentInvoice, CheckoutResult]
LOOK_EVERY, LOOK_AT_LEAST_EVERY = 0.05, 0.15  # seconds; every look costs the engine and the worker a query
WITHIN = 60.0
OPERATOR = "olga"


class World:
    def __init__(self, stand: Stand) -> None:
        self.stand = stand
        self.sandbox = stand.sandbox
        self.ledger = stand.ledger
        self.runs = EngineRuns(stand.client)

    # ---- what buyers and the vendors' people do ----------------------------------------------------------------------

    async def place(self, order: Order, *, within: float = WITHIN) -> OrderView:
        """A portal places the order and asks for its link."""
        return await self.runs.ask_for_link(order, timedelta(seconds=within))

    async def place_in_shop(self, *items: tuple[str, int], **wish: Any) -> str:
        """A buyer orders in the shop; returns the order's key. The feed finds it."""
        wished = [{"sku": sku, "qty": quantity} for sku, quantity in items or (("HF-1001", 2),)]
        placed = await self.act("magento", "place-order", items=wished, **{"store": "de", "customer": "11", **wish})
        return f"{wish.get('store', 'de')}:{placed['increment_id']}"

    async def act(self, system: str, do: str, /, **arguments: Any) -> dict[str, Any]:
        # In a thread: the workers share this loop.
        return await asyncio.to_thread(self.sandbox.act, system, do, **arguments)

    async def pay(self, key: str, amount: str | None = None, do: str = "pay") -> None:
        await self.act("juston", do, key=key, **({"amount": amount} if amount else {}))

    async def refund(self, link: str) -> None:
        """Somebody in the payment system pays back what a payment link brought in."""
        credentials = await asyncio.to_thread(self.sandbox.credentials, "juston")
        path = f"/public/payment-provider/v1/tenant/{credentials['tenant']}/refund"
        headers = {"authorization": f"Bearer {credentials['token']}"}
        async with httpx2.AsyncClient(base_url=self.sandbox.url("juston"), timeout=10) as hosted:
            body = {"linkId": link.split("/pay/")[1].split("/")[0], "reason": "by hand"}
            (await hosted.post(path, json=body, headers=headers)).raise_for_status()

    async def set_service_date(self, key: str, date: str | None) -> None:
        """Somebody edits the order's billing record. The invoice run refuses one without a date."""
        known = await asyncio.to_thread(self.sandbox.credentials, "salesforce")
        form = {"grant_type": "client_credentials", **{name: known[name] for name in ("client_id", "client_secret")}}
        path = f"/services/data/v68.0/sobjects/Web_Order__c/Magento_Order_Id__c/{quote(key, safe='')}"
        async with httpx2.AsyncClient(base_url=self.sandbox.url("salesforce"), timeout=10) as org:
            token = (await org.post("/services/oauth2/token", data=form)).json()["access_token"]
            headers = {"authorization": f"Bearer {token}"}
            (await org.patch(path, json={"ON_ServiceDate__c": date}, headers=headers)).raise_for_status()

    async def bill(self, key: str) -> None:
        """The invoice run of this order alone."""
        await self.act("salesforce", "run-invoices", order=key)

    async def cancel(self, key: str, reason: str = "changed my mind", *, unattended: bool = False) -> OrderView:
        request = CancelRequest(by="portal", reason=reason, unattended=unattended)
        view: OrderView = await self.run(key).execute_update(CheckoutPaymentInvoice.cancel, request)

        async def stopped() -> bool:
            return (await self.view(key)).stage in (*CLOSED_STAGES, Stage.UNDOING)

        await self.wait_until(stopped, what=f"{key} is being undone", key=key)
        return view

    # ---- the run -----------------------------------------------------------------------------------------------------

    def run(self, key: str) -> Handle:
        return self.runs.checkout(key)

    def late(self, key: str) -> WorkflowHandle[LatePayment, str]:
        return self.stand.client.get_workflow_handle_for(LatePayment.run, late_payment_id(key))

    async def view(self, key: str) -> OrderView:
        return await asked(lambda: self.run(key).query(CheckoutPaymentInvoice.view))

    async def reaches(self, key: str, *stages: Stage, bill: bool = False, within: float = WITHIN) -> OrderView:
        """The order's view once it is in one of the stages. Fails with the timeline when it parks or is too late."""

        async def there() -> OrderView | None:
            view = await self.view_or_none(key)
            if view is None or view.stage in stages:
                return view
            if bill:
                await self._bill_when_asked(view)
            assert not view.cases, f"{key} parked on the way to {stages}:\n{told(view)}"
            return None

        return await self.wait_until(there, within=within, what=f"{key} is {' or '.join(stages)}", key=key)

    async def is_billed(self, key: str) -> OrderView:
        """The order's view once it is with the billing system, before the invoice run has seen it."""

        async def handed_over() -> OrderView | None:
            view = await self.reaches(key, Stage.BILLING)
            return view if said(view, "billing order") else None

        return await self.wait_until(handed_over, what=f"{key} has a billing order", key=key)

    async def link_of(self, key: str) -> OrderView:
        """A shop order's view once the buyer has a link and the shop shows it."""
        view = await self.reaches(key, Stage.AWAITING_PAYMENT)

        async def announced() -> OrderView | None:
            now = await self.view(key)
            return now if any(document.kind == "shop note" for document in now.documents) else None

        return await self.wait_until(announced, what=f"the shop shows the link of {key}", key=key) or view

    async def ends(self, key: str, *, within: float = WITHIN) -> CheckoutResult:
        """The result, with the invoice run billing the order as soon as it waits for that."""

        async def closed() -> bool:
            view = await self.view_or_none(key)
            if view is None:
                return False
            assert not view.cases, f"{key} parked:\n{told(view)}"
            await self._bill_when_asked(view)
            return view.stage in CLOSED_STAGES

        await self.wait_until(closed, within=within, what=f"{key} ends", key=key)
        return await self.run(key).result()

    async def parks(
        self, key: str, *, step: str = "", amount: str = "", bill: bool = False, within: float = WITHIN
    ) -> Case:
        """An open case of the order (of `step`, over `amount`, if given), as the run and the ledger know it.

        `bill`: the invoice run bills the order on the way.
        """

        def meant(case: Case) -> bool:
            return step in ("", case.step) and amount in ("", str(case.amount))

        async def parked() -> Case | None:
            view = await self.view_or_none(key)
            if view and bill:
                await self._bill_when_asked(view)
            found = [case for case in view.cases if meant(case)] if view else []
            kept = {case.id for case in await self.ledger.open_cases(order_key=key)} if found else set()
            return found[0] if found and found[0].id in kept else None

        return await self.wait_until(parked, within=within, what=f"{key} parks {step}", key=key)

    async def _bill_when_asked(self, view: OrderView) -> None:
        if view.stage is Stage.BILLING and said(view, "billing order"):
            await self.bill(view.order_key)

    async def late_parks(self, key: str) -> Case:
        async def parked() -> Case | None:
            return next(
                (
                    case
                    for case in await self.ledger.open_cases(order_key=key)
                    if case.workflow_id == late_payment_id(key)
                ),
                None,
            )

        return await self.wait_until(parked, what=f"the late payment of {key} parks", key=key)

    async def decide(
        self, case: Case, kind: str, reason: str = "looked into it", correction: dict[str, Any] | None = None
    ) -> str:
        decision = Decision(case_id=case.id, kind=DecisionKind(kind), by=OPERATOR, reason=reason, correction=correction)
        handle = self.stand.client.get_workflow_handle(case.workflow_id)
        answer: str = await handle.execute_update("decide", decision, result_type=str)

        async def taken_up() -> bool:
            return case.id not in {still.id for still in await self.ledger.open_cases(order_key=case.order_key)}

        await self.wait_until(taken_up, what=f"the decision on {case.id} is kept", key=case.order_key)
        return answer

    async def told_operators(self, subject: str, *, times: int = 1, within: float = WITHIN) -> list[dict[str, Any]]:
        """The mails with this subject, once there are so many."""

        async def there() -> list[dict[str, Any]] | None:
            found = [mail for mail in await messages(self.sandbox) if mail["subject"] == subject]
            return found if len(found) >= times else None

        return await self.wait_until(there, what=f"{times} mails {subject!r}", within=within)

    async def skip_time(self, key: str, time: timedelta) -> None:
        await self.fast_forward(self.run(key), time)

    async def fast_forward(self, run: WorkflowHandle[Any, Any], time: timedelta) -> None:
        """The engine does not pass a step that is under way, so it must end: one that never does is named here."""
        try:
            async with asyncio.timeout(WITHIN):
                await self.stand.skipper.fast_forward(run, time)
        except TimeoutError:
            steps = [step.activity_type.name for step in (await run.describe()).raw_description.pending_activities]
            raise AssertionError(f"{run.id} cannot skip {time}; under way: {', '.join(steps)}") from None

    # ---- the outside world -------------------------------------------------------------------------------------------

    async def books(self, key: str, *, mail_repeats: bool = True) -> Books:
        """Every document of the order in every system, and every mail to the buyer, without ids and numbers.

        Lists that are empty are left out. Without `mail_repeats`, a mail that came again under its Message-ID counts
        once, as mail programs show it: a kill between sending and noting repeats it.
        """
        _, number = key.split(":")
        shop, org, pay = await asyncio.gather(
            *(asyncio.to_thread(self.sandbox.books, name) for name in ("magento", "salesforce", "juston"))
        )
        mails = [mail for mail in await messages(self.sandbox) if re.search(rf"{re.escape(number)}\b", mail["subject"])]
        if not mail_repeats:
            mails = list({mail["headers"]["Message-ID"]: mail for mail in mails}.values())
        told_operators = self.stand.settings.mail.operators if self.stand.settings.mail else ()

        def ours(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
            return [row for row in rows if row["key"] == key]

        orders = ours(shop["orders"])
        found = {
            "entries": [_line(row) for row in ours(pay["entries"])],
            "payments": [_line(row) for row in ours(pay["payments"])],
            "refunds": [_line(row) for row in ours(pay["refunds"])],
            "sales orders": [_line(row) for row in ours(org["orders"])],
            "cash entries": [
                f"{row['refs']['type']} {_line(row)}"
                for row in org["payments"]
                if row["refs"]["account_reference"] == number
            ],
            "billing orders": [_line(row) for row in ours(pay["orders"])],
            "invoices": [_line(row) for row in ours(pay["invoices"])],
            "credit notes": [_line(row) for row in ours(pay["credit_notes"])],
            "shop orders": [_line(row) for row in orders],
            "shop invoices": [_line(row) for row in shop["invoices"] if row["refs"]["order_key"] == key],
            "shop comments": [_comment(text) for row in orders for text in row["refs"]["comments"]],
            "mails": [_subject(mail["subject"]) for mail in mails if mail["to"] != [*told_operators]],
        }
        return {name: sorted(rows) for name, rows in found.items() if rows}

    async def books_become(self, key: str, expected: Books, *, within: float = 5) -> None:
        """For what a system shows a moment later than it acknowledged it."""
        found: Books = {}

        async def equal() -> bool:
            nonlocal found
            found = await self.books(key)
            return found == expected

        with contextlib.suppress(AssertionError):
            await self.wait_until(equal, within=within, what=f"the books of {key}")
        assert found == expected

    @contextlib.asynccontextmanager
    async def faults(self, system: str, *rules: dict[str, Any]) -> AsyncIterator[None]:
        await self.set_faults(system, *rules)
        try:
            yield
        finally:
            await self.set_faults(system)

    async def set_faults(self, system: str, *rules: dict[str, Any]) -> None:
        await asyncio.to_thread(self.sandbox.faults, system, *rules)

    async def fired(self, system: str) -> list[int]:
        """How often each fault rule of the system struck."""
        return await asyncio.to_thread(self.sandbox.fired, system)

    async def strikes(self, system: str, times: int) -> None:
        """Wait until the fault rules of the system struck so often."""

        async def struck() -> bool:
            return sum(await self.fired(system)) >= times

        await self.wait_until(struck, what=f"{times} faults of {system} strike")

    async def tries(self, key: str, times: int) -> None:
        """Wait until a step of the order is in its try number `times`."""

        async def often() -> bool:
            if await self.view_or_none(key) is None:
                return False
            described = await self.run(key).describe()
            return any(step.attempt >= times for step in described.raw_description.pending_activities)

        await self.wait_until(often, what=f"a step of {key} is tried {times} times", key=key)

    async def is_at(self, key: str, activity: str) -> None:
        """Wait until this step of the order, and no other, is under way."""

        async def alone() -> bool:
            if await self.view_or_none(key) is None:
                return False
            described = await self.run(key).describe()
            return [step.activity_type.name for step in described.raw_description.pending_activities] == [activity]

        await self.wait_until(alone, what=f"{key} is at {activity}", key=key)

    async def wait_until(
        self, look: Callable[[], Awaitable[T | None]], *, within: float = WITHIN, what: str, key: str = ""
    ) -> T:
        """What `look` answers once that is true. Fails with the order's timeline."""
        clock = asyncio.get_running_loop().time
        deadline = clock() + within
        pause = LOOK_EVERY
        while True:
            found = await look()
            if found:
                return found
            if clock() > deadline:
                view = await self.view_or_none(key) if key else None
                raise AssertionError(f"not within {within:.0f} s: {what}" + (f"\n{told(view)}" if view else ""))
            await asyncio.sleep(pause)
            pause = min(pause * 1.5, LOOK_AT_LEAST_EVERY)

    async def view_or_none(self, key: str) -> OrderView | None:
        try:
            return await self.view(key)
        except RPCError as err:
            if err.status is RPCStatusCode.NOT_FOUND:
                return None
            raise


def told(view: OrderView) -> str:
    lines = [f"{event.at:%H:%M:%S.%f} {event.kind}: {event.text}" for event in view.timeline]
    return "\n".join([f"{view.order_key} is {view.stage}, waiting for {view.waiting_on or 'nothing'}", *lines])


def said(view: OrderView, text: str) -> bool:
    """Whether the timeline says this."""
    return any(text in event.text for event in view.timeline)


def _line(row: dict[str, Any]) -> str:
    return f"{row['status']} {row['total_minor']} {row['currency']}"


def _comment(text: str) -> str:
    """What a comment is, without its numbers and addresses."""
    return re.sub(r"http\S+|\b(SO|RE-Nordlicht-)\d+", "…", text)


def _subject(text: str) -> str:
    return re.sub(r"\b(RE-Nordlicht-|T\d+-)?\d+\b", "…", text)
