"""Fills the storefront role: look first, write what is missing, read it back.

The shop knows no idempotency key. The link, the invoice number and the ERP's number in the shop's own comments are the
keys, so that a step that is repeated after a lost answer finds what the first try left behind; and what is not there
is written again only when the first try can no longer be carried out (`activities/turns.py`).
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, TypeVar

from temporalio import activity

from activities.magento.client import Filter, MagentoClient
from activities.magento.comments import HISTORY, OrderComments, mentions, note_with
from activities.magento.fields import Unmappable, money, number, rows, text, whole
from activities.magento.mapping import comment_body, invoice_body, known_currency, stamp_body
from activities.magento.orders import meant_order, order_id
from activities.roles import AnnouncePayment, CancelShopOrder, Storefront, WriteInvoice, WriteReferences
from activities.steps import step
from activities.turns import Memory, Turns
from commerce.documents import Document, DocumentKind, Undone
from commerce.failures import Family, SystemFailure
from commerce.money import Money

_ORDER = "entity_id,increment_id,state,status,ext_order_id,grand_total,order_currency_code"
_QUANTITIES = "items[item_id,parent_item_id,sku,qty_ordered,qty_invoiced,qty_canceled]"
_INVOICE = "entity_id,increment_id,order_id,state,grand_total,order_currency_code,comments[comment]"
INVOICE_STATES = {1: "open", 2: "paid", 3: "canceled"}
CANCELED_INVOICE = 3
# States in which the shop takes no invoice, from its own validator.
NOT_INVOICEABLE = frozenset({"payment_review", "holded", "canceled", "complete", "closed"})
ENDED = frozenset({"canceled", "closed"})

T = TypeVar("T")
AnyTask = AnnouncePayment | WriteInvoice | WriteReferences | CancelShopOrder


class MagentoActivities(Storefront):
    """One shop as the storefront. `system` is its name in the configuration."""

    def __init__(self, client: MagentoClient, *, system: str, memory: Memory) -> None:
        self._client = client
        self._settings = client.settings
        self._system = system
        settled_after = timedelta(seconds=self._settings.settled_after_seconds)
        self._turns = Turns(memory, system=system, settled_after=settled_after)
        self._comments = OrderComments(client, self._turns, system=system)

    @activity.defn(name="storefront.announce_payment")
    @step
    async def announce_payment(self, task: AnnouncePayment) -> Document:
        """A comment with the link, visible to the buyer. Idempotent by the link in the order's comments."""
        tried = f"announce the payment link on order {task.order_key}"
        looked_at = self._turns.now()
        order = await self._order(task, tried, HISTORY)
        note = note_with(order, task.link)
        if note is not None:
            return self._note(note, order, task.order_key, task.amount, adopted=True)
        if text(order, "state") in ENDED:
            raise self._ask(
                tried,
                f"the order is {text(order, 'state')} in the shop, it takes no payment any more",
                "cancel the checkout, or place the order again in the shop",
            )
        said = self._settings.announce_text.format(amount=task.amount, link=task.link)
        body = comment_body(
            order_id(self._client, task.shop_id, tried),
            said,
            self._pending_status(order),
            on_front=True,
            told=self._settings.announce_mail,
        )
        await self._comments.write(
            task.shop_id, task.order_key, body, f"announce:{task.order_key}:{task.link}", looked_at, tried
        )
        order = await self._order(task, tried, HISTORY)
        return self._note(self._written(note_with(order, task.link), tried), order, task.order_key, task.amount)

    @activity.defn(name="storefront.ensure_invoice")
    @step
    async def ensure_invoice(self, task: WriteInvoice) -> Document:
        """One invoice over the whole order. Idempotent by the invoice number in the shop invoice's comment."""
        tried = f"write invoice {task.invoice_number} for order {task.order_key}"
        looked_at = self._turns.now()
        order = await self._order(task, tried, _QUANTITIES)
        found = await self._our_invoice(task, tried)
        if found is not None:
            return found
        self._may_invoice(task, order, tried)
        body = invoice_body(f"{self._settings.invoice_prefix}{task.invoice_number}", notify=task.notify_customer)
        try:
            # The shop itself refuses a second invoice, but for releases without a lock per order.
            async with self._turns.take(f"invoice:{task.order_key}", looked_at=looked_at, tried=tried):
                await self._client.post(
                    "order/{id}/invoice", body, tried=tried, order_key=task.order_key, id=task.shop_id
                )
        except SystemFailure as err:
            if err.family is not Family.REJECTED:
                raise
            # A first try whose answer was late may have committed meanwhile: then this one is refused.
            found = await self._our_invoice(task, tried)
            if found is None:
                raise
            return found
        found = await self._our_invoice(task, tried)
        return self._written(found, tried).model_copy(update={"adopted": False})

    @activity.defn(name="storefront.write_references")
    @step
    async def write_references(self, task: WriteReferences) -> Document:
        """The ERP's number as external id, both numbers as a comment. Idempotent by both."""
        tried = f"write the numbers of ERP and billing on order {task.order_key}"
        looked_at = self._turns.now()
        order = await self._order(task, tried, HISTORY)
        numbers = [value for value in (task.erp_number, task.invoice_number) if value]
        if not numbers:
            nothing = self._note({}, order, task.order_key, None)
            return nothing.model_copy(update={"status": "nothing to write"})
        stamped = self._stamped(task, order, tried)
        if not stamped:
            body = stamp_body(order_id(self._client, task.shop_id, tried), text(order, "increment_id"), task.erp_number)
            await self._client.post("orders", body, tried=tried, order_key=task.order_key)
            order = await self._order(task, tried, HISTORY)
            self._written(order if self._stamped(task, order, tried) else None, tried)
        note = note_with(order, *numbers)
        if note is not None:
            return self._note(note, order, task.order_key, None, adopted=stamped)
        said = self._settings.references_text.format(
            erp_number=task.erp_number or "-", invoice_number=task.invoice_number or "-"
        )
        body = comment_body(order_id(self._client, task.shop_id, tried), said, text(order, "status"), on_front=False)
        await self._comments.write(
            task.shop_id, task.order_key, body, f"references:{task.order_key}:{':'.join(numbers)}", looked_at, tried
        )
        order = await self._order(task, tried, HISTORY)
        return self._note(self._written(note_with(order, *numbers), tried), order, task.order_key, None)

    @activity.defn(name="storefront.cancel_order")
    @step
    async def cancel_order(self, task: CancelShopOrder) -> Undone:
        """Cancels what is open. An order that is canceled already counts as done."""
        tried = f"cancel order {task.order_key} in the shop"
        order = await self._order(task, tried, _QUANTITIES)
        if text(order, "state") == "canceled":
            return self._canceled(task, order, adopted=True)
        if any(number(item, "qty_invoiced") for item in rows(order, "items")):
            names = [text(i, "increment_id") for i in await self._invoices(task, tried) if not _is_canceled(i)]
            raise self._ask(
                tried,
                f"the order is invoiced in the shop ({', '.join(names) or 'by an invoice that is not listed'})",
                "make a credit memo in the shop, then decide 'skip'",
            )
        answer: Any = None
        try:
            answer = await self._client.post(
                "orders/{id}/cancel", {}, tried=tried, order_key=task.order_key, id=task.shop_id
            )
        except SystemFailure as err:
            if err.family is not Family.REJECTED:
                raise
            answer = err.came_back
        # The call answers `false`, and in old releases even `true`, when nothing happened.
        order = await self._order(task, tried, _QUANTITIES)
        if text(order, "state") == "canceled":
            return self._canceled(task, order, adopted=False)
        said = answer if isinstance(answer, str) else str(answer).lower()
        raise self._ask(
            tried,
            f"the shop answered {said} and the order is still {text(order, 'state')}",
            "release or cancel the order in the shop's administration, then decide 'retry'",
        )

    # ---- what is there -----------------------------------------------------------------------------------------------

    async def _order(self, task: AnyTask, tried: str, detail: str) -> dict[str, Any]:
        return await meant_order(
            self._client,
            shop_id=task.shop_id,
            number=task.number,
            order_key=task.order_key,
            fields=f"{_ORDER},{detail}",
            tried=tried,
        )

    async def _invoices(self, task: AnyTask, tried: str) -> list[dict[str, Any]]:
        """All invoices of the order with their comments."""
        found = []
        async for invoice in self._client.keyset(
            "invoices",
            [[Filter("order_id", task.shop_id)]],
            tried=tried,
            fields=_INVOICE,
            order_key=task.order_key,
        ):
            # Lists may leave out what the single document shows.
            if not rows(invoice, "comments"):
                comments = await self._client.get(
                    "invoices/{id}/comments", tried=tried, order_key=task.order_key, id=text(invoice, "entity_id")
                )
                invoice["comments"] = rows(comments, "items")
            found.append(invoice)
        return found

    async def _our_invoice(self, task: WriteInvoice, tried: str) -> Document | None:
        """The invoice with our number. Raises NEEDS_PERSON when it differs, or another invoice stands in its place."""
        listed = await self._invoices(task, tried)
        ours = [
            i for i in listed if any(mentions(text(c, "comment"), task.invoice_number) for c in rows(i, "comments"))
        ]
        if len(ours) > 1:
            names = " and ".join(text(invoice, "increment_id") for invoice in ours)
            raise self._ask(
                tried, f"the shop's invoices {names} carry the same number", "cancel or refund one of them in the shop"
            )
        if not ours:
            others = [invoice for invoice in listed if not _is_canceled(invoice)]
            if others:
                names = ", ".join(f"{text(i, 'increment_id')} over {_amount(i)}" for i in others)
                raise self._ask(
                    tried,
                    f"the order is invoiced already by {names}, without our number; ours is over {task.total}",
                    "if it is the same invoice, add the comment "
                    f"'{self._settings.invoice_prefix}{task.invoice_number}' to it and decide 'retry'; else correct it",
                )
            return None
        invoice = ours[0]
        if _is_canceled(invoice):
            raise self._ask(
                tried,
                f"the shop's invoice {text(invoice, 'increment_id')} with our number is canceled",
                "decide 'skip', or remove the number from its comment and decide 'retry'",
            )
        amount = _amount(invoice)
        if amount != task.total:
            raise self._ask(
                tried,
                f"the shop's invoice {text(invoice, 'increment_id')} is over {amount}, ours is over {task.total}",
                "correct the shop's invoice with a credit memo, then decide 'retry' or 'skip'",
            )
        return Document(
            kind=DocumentKind.SHOP_INVOICE,
            system=self._system,
            id=text(invoice, "entity_id"),
            number=text(invoice, "increment_id"),
            key=task.invoice_number,
            amount=amount,
            status=INVOICE_STATES.get(whole(invoice.get("state")) or 0, text(invoice, "state")),
            adopted=True,
        )

    def _may_invoice(self, task: WriteInvoice, order: Mapping[str, Any], tried: str) -> None:
        """Raises NEEDS_PERSON where the shop would refuse an invoice, or make one with another total."""
        state = text(order, "state")
        if state in NOT_INVOICEABLE:
            raise self._ask(
                tried,
                f"the order is {state} in the shop, where it takes no invoice",
                "release the order in the shop and decide 'retry', or 'skip' the shop's invoice",
            )
        amount = _amount(order)
        if amount != task.total:
            raise self._ask(
                tried,
                f"the shop's order is over {amount}, the invoice over {task.total}",
                "find out which amount is right before the order is invoiced in the shop",
            )
        gone = [text(i, "sku") for i in rows(order, "items") if number(i, "qty_invoiced") or number(i, "qty_canceled")]
        if gone:
            raise self._ask(
                tried,
                f"a part of the order is invoiced or canceled already: {', '.join(gone)}",
                "finish the invoice in the shop by hand, then decide 'skip'",
            )

    def _stamped(self, task: WriteReferences, order: Mapping[str, Any], tried: str) -> bool:
        there = text(order, "ext_order_id")
        if there and task.erp_number and there != task.erp_number:
            raise self._ask(
                tried,
                f"the shop's order carries the external number {there}, the ERP's is {task.erp_number}",
                "find out which ERP order is meant, clear the external id in the shop, then decide 'retry'",
            )
        return there == task.erp_number or not task.erp_number

    # ---- words -------------------------------------------------------------------------------------------------------

    def _pending_status(self, order: Mapping[str, Any]) -> str:
        """The status that says payment is pending, where it belongs to the order's state; else the present one."""
        legal = self._settings.statuses.get(text(order, "state"), ())
        return self._settings.pending_status if self._settings.pending_status in legal else text(order, "status")

    def _written(self, found: T | None, tried: str) -> T:
        if found is None:
            raise SystemFailure(
                Family.OUTCOME_UNKNOWN,
                tried,
                "the shop took it, but does not show it",
                system=self._system,
                do_next="nothing: it is looked up again before it is tried again",
            )
        return found

    def _note(
        self,
        note: Mapping[str, Any],
        order: Mapping[str, Any],
        order_key: str,
        amount: Money | None,
        *,
        adopted: bool = False,
    ) -> Document:
        return Document(
            kind=DocumentKind.SHOP_NOTE,
            system=self._system,
            id=text(note, "entity_id"),
            number=text(order, "increment_id"),
            key=order_key,
            amount=amount,
            status=text(order, "status"),
            adopted=adopted,
        )

    def _canceled(self, task: CancelShopOrder, order: Mapping[str, Any], *, adopted: bool) -> Undone:
        document = Document(
            kind=DocumentKind.CANCELLATION,
            system=self._system,
            id=text(order, "entity_id"),
            number=text(order, "increment_id"),
            key=task.order_key,
            status=text(order, "state"),
            adopted=adopted,
        )
        return Undone(what=f"order {task.number} in the shop", done=True, document=document)

    def _ask(self, tried: str, came_back: str, do_next: str) -> SystemFailure:
        return SystemFailure(Family.NEEDS_PERSON, tried, came_back, system=self._system, do_next=do_next)


def _amount(document: Mapping[str, Any]) -> Money:
    """The document's total in its own currency. Raises Unmappable."""
    if "grand_total" not in document:
        raise Unmappable("grand_total is missing")
    return money(document, "grand_total", known_currency(document, "order_currency_code"))


def _is_canceled(invoice: Mapping[str, Any]) -> bool:
    return whole(invoice.get("state")) == CANCELED_INVOICE
