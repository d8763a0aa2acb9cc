"""Fills `Control`: what processes ask of our memory and of the configuration."""

from collections.abc import Mapping
from typing import Protocol

from temporalio import activity

from activities.control import CloseCase, Control, KeepDocuments, KnownOutcome, NoteCase, Outcome, Plan, TellOperators
from activities.ledger.chain import successor
from activities.ledger.fulfillment import FulfillmentBook
from activities.ledger.store import Ledger
from activities.steps import patient_step
from commerce.documents import Case, DocumentKind
from commerce.failures import Family, SystemFailure
from commerce.fulfillment import LEFT_THE_HOUSE
from commerce.order import Order


class Operators(Protocol):
    async def tell(self, message: TellOperators) -> None:
        """Reach the operators. Raises SystemFailure."""
        ...


class LedgerActivities(Control):
    def __init__(self, ledger: Ledger, plans: Mapping[str, Plan], operators: Operators) -> None:
        self._ledger = ledger
        self._plans = plans
        self._operators = operators

    @activity.defn(name="control.open_order")
    @patient_step
    async def open_order(self, order: Order) -> Plan:
        plan = self._plan(order.store)
        await self._ledger.keep_order(order, f"checkout:{order.key}")
        return plan

    @activity.defn(name="control.open_case")
    @patient_step
    async def open_case(self, case: Case) -> None:
        await self._ledger.open_case(case)

    @activity.defn(name="control.note_case")
    @patient_step
    async def note_case(self, note: NoteCase) -> None:
        await self._ledger.note_case(note.case, note.number, note.event)

    @activity.defn(name="control.close_case")
    @patient_step
    async def close_case(self, closing: CloseCase) -> None:
        await self._ledger.close_case(
            closing.case_id, closing.decision, closing.reason, closing.decided_at, closing.changes
        )

    @activity.defn(name="control.close_order")
    @patient_step
    async def close_order(self, outcome: Outcome) -> None:
        await self._ledger.close_order(outcome.view, outcome.result, hand_over=outcome.hand_over)

    @activity.defn(name="control.known_outcome")
    @patient_step
    async def known_outcome(self, order_key: str) -> KnownOutcome:
        known = await self._ledger.order(order_key)
        if known is None:
            return KnownOutcome()
        booked = await self._ledger.documents(order_key, DocumentKind.RECEIPT, DocumentKind.REFUND)
        documents = known.result.documents if known.result else ()
        goods = await FulfillmentBook(self._ledger.engine).view(order_key)
        gone = [one.number for one in goods.shipments if one.state in LEFT_THE_HOUSE] if goods is not None else []
        replaced_by = known.result.replaced_by if known.result else ""
        return KnownOutcome(
            stage=known.stage,
            amount=known.amount,
            customer_key=known.result.customer_key if known.result else "",
            booked=booked,
            gateway=tuple(one["transaction_id"] for one in known.content["payments"] if one["state"] == "captured"),
            invoice=next((one.number for one in documents if one.kind is DocumentKind.INVOICE), ""),
            goods=goods.state.value if goods is not None else "",
            left=tuple(gone),
            replaced_by=replaced_by or await successor(self._ledger.engine, known.store, known.number),
        )

    @activity.defn(name="control.keep_documents")
    @patient_step
    async def keep_documents(self, kept: KeepDocuments) -> None:
        await self._ledger.keep_documents(kept.order_key, kept.documents)

    @activity.defn(name="control.plan_for")
    @patient_step
    async def plan_for(self, store: str) -> Plan:
        return self._plan(store)

    @activity.defn(name="control.tell_operators")
    @patient_step
    async def tell_operators(self, message: TellOperators) -> None:
        if await self._ledger.delivered(message.key):
            return
        await self._operators.tell(message)
        await self._ledger.keep_message(message.key, "operators", message.order_key)

    def _plan(self, store: str) -> Plan:
        plan = self._plans.get(store)
        if plan is None:
            known = ", ".join(sorted(self._plans)) or "none"
            # Transient on purpose: the order waits until the store is configured, and nothing is lost meanwhile.
            raise SystemFailure(
                Family.TRANSIENT,
                f"plan for store {store}",
                f"the configuration has no store {store}; it has {known}",
                system="holdfast",
                do_next=f"add [stores.{store}] to holdfast.toml and restart the worker",
            )
        return plan
