"""Fills `Notify`: customers by mail, portals by signed webhook. Each message goes out once for its key."""

import hashlib
import hmac
import json
from collections.abc import Coroutine, Mapping
from datetime import UTC, datetime
from typing import Any

import httpx2
from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.http import retry_after, send
from activities.ledger.store import Ledger
from activities.notify.mail import Mailer
from activities.notify.settings import PortalSettings
from activities.notify.texts import customer_text
from activities.roles import Notify, TellBoth, TellCustomer, TellPortal, Told
from activities.steps import both, step
from commerce.documents import Document, DocumentKind
from commerce.failures import Family, SystemFailure

_NOT_NOW = frozenset({408, 425, 429})


def signature(secret: str, body: bytes) -> str:
    """The value of `X-Holdfast-Signature`: HMAC-SHA256 of the raw body."""
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


class NotifyActivities(Notify):
    def __init__(self, ledger: Ledger, mailer: Mailer | None, portals: Mapping[str, PortalSettings]) -> None:
        self._ledger = ledger
        self._mailer = mailer
        self._portals = portals
        self._http = httpx2.AsyncClient(timeout=20, headers={"User-Agent": "holdfast"})

    async def close(self) -> None:
        await self._http.aclose()

    @activity.defn(name="notify.customer")
    @step
    async def customer(self, task: TellCustomer) -> Document:
        document = Document(kind=DocumentKind.MAIL, system="mail", id=task.key, key=task.key, status="sent")
        if self._mailer is None:
            return document.model_copy(update={"status": "no mail configured"})
        document = document.model_copy(update={"id": self._mailer.message_id(task.key)})
        if await self._ledger.delivered(task.key):
            return document.model_copy(update={"adopted": True})
        subject, text = customer_text(
            task.template,
            task.order,
            amount=task.amount,
            link=task.link,
            invoice_number=task.invoice_number,
            replaced_by=task.replaced_by,
        )
        reference = await self._mailer.send(task.key, (task.order.customer.email,), subject, text, datetime.now(UTC))
        await self._ledger.keep_message(task.key, "mail", task.order.key, reference=reference)
        return document

    @activity.defn(name="notify.both")
    @step
    async def both(self, task: TellBoth) -> Told:
        customer, portal = await both(
            _unless_failed(self.customer(task.customer) if task.customer else None),
            _unless_failed(self.portal(task.portal) if task.portal else None),
        )
        return Told(customer=customer, portal=portal)

    @activity.defn(name="notify.portal")
    @step
    async def portal(self, task: TellPortal) -> Document:
        document = Document(
            kind=DocumentKind.PORTAL_MESSAGE, system="portal", id=task.key, key=task.key, status="delivered"
        )
        portal = self._portals.get(task.store)
        if portal is None:
            return document.model_copy(update={"status": "no portal configured"})
        if await self._ledger.delivered(task.key):
            return document.model_copy(update={"adopted": True})
        tried = f"tell the portal of {task.store} about {task.order_key}"
        body = json.dumps(
            {
                "id": task.key,
                "event": task.event,
                "store": task.store,
                "number": task.number,
                "order_key": task.order_key,
                "data": task.data,
            },
            ensure_ascii=False,
        ).encode()
        request = self._http.build_request(
            "POST",
            portal.url,
            content=body,
            headers={
                "Content-Type": "application/json",
                "X-Holdfast-Signature": signature(portal.secret.get_secret_value(), body),
            },
        )
        reply = await send(
            self._http,
            request,
            span_name="POST portal",
            system="portal",
            # The portal may hear it twice, never not at all: the id tells it which message this is.
            writes=False,
            tried=tried,
        )
        if not reply.is_success:
            passing = reply.status_code in _NOT_NOW or reply.status_code >= 500
            raise SystemFailure(
                Family.TRANSIENT if passing else Family.NEEDS_PERSON,
                tried,
                f"it answered {reply.status_code}" if passing else f"it did not take the event: {reply.status_code}",
                system="portal",
                code=str(reply.status_code),
                retry_after=retry_after(reply),
                do_next=""
                if passing
                else f"mend the portal or [stores.{task.store}.portal] and decide 'retry', or skip the message",
            )
        await self._ledger.keep_message(task.key, "portal", task.order_key)
        return document


async def _unless_failed(message: Coroutine[Any, Any, Document] | None) -> Document | None:
    try:
        return await message if message is not None else None
    except ApplicationError:  # of whatever family: its own step tries it again, or parks with what came back
        return None
