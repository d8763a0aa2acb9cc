"""Notes about goods as comments on the shop's order: looked for by their key, written when they are missing."""

from datetime import timedelta
from typing import Any

from temporalio import activity

from activities.fulfillment import NoteGoods, ShopNotes
from activities.goods_notes import note_text
from activities.magento.client import MagentoClient
from activities.magento.comments import HISTORY, OrderComments, note_with
from activities.magento.fields import text
from activities.magento.mapping import comment_body
from activities.magento.orders import meant_order, order_id
from activities.steps import step
from activities.turns import Memory, Turns
from commerce.documents import Document, DocumentKind
from commerce.failures import Family, SystemFailure


class MagentoNotes(ShopNotes):
    """One shop. `system` is its name in the configuration; `memory` notes writes that were begun."""

    def __init__(self, client: MagentoClient, *, system: str, memory: Memory) -> None:
        self._client = client
        self._system = system
        settled_after = timedelta(seconds=client.settings.settled_after_seconds)
        self._turns = Turns(memory, system=system, settled_after=settled_after)
        self._comments = OrderComments(client, self._turns, system=system)

    @activity.defn(name="storefront.note_goods")
    @step
    async def note_goods(self, task: NoteGoods) -> Document:
        tried = f"note {task.key} on order {task.order.key} in the shop"
        looked_at = self._turns.now()
        known = (task.key, *(track.number for track in task.tracks))
        order = await self._order(task, tried)
        note = note_with(order, *known)
        adopted = note is not None
        if note is None:
            body = comment_body(
                order_id(self._client, task.order.shop_id, tried),
                note_text(task),
                text(order, "status"),
                on_front=task.visible,
                told=task.mailed,
            )
            key = f"goods:{task.order.key}:{':'.join(known)}"
            await self._comments.write(task.order.shop_id, task.order.key, body, key, looked_at, tried)
            order = await self._order(task, tried)
            note = note_with(order, *known)
        if note is None:
            raise SystemFailure(
                Family.OUTCOME_UNKNOWN,
                tried,
                "the shop took it, but does not show it",
                system=self._system,
                do_next="nothing: it is looked up again before it is tried again",
            )
        return Document(
            kind=DocumentKind.SHOP_NOTE,
            system=self._system,
            id=text(note, "entity_id"),
            number=text(order, "increment_id"),
            key=f"{task.order.key}:{task.key}",
            status=text(order, "status"),
            adopted=adopted,
        )

    async def _order(self, task: NoteGoods, tried: str) -> dict[str, Any]:
        return await meant_order(
            self._client,
            shop_id=task.order.shop_id,
            number=task.order.number,
            order_key=task.order.key,
            fields=f"entity_id,increment_id,status,{HISTORY}",
            tried=tried,
        )
