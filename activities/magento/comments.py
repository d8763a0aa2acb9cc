"""Comments on the shop's orders. The shop knows no key: what a comment has to mention is the key."""

import html
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from activities.magento.client import MagentoClient
from activities.magento.fields import rows, text, whole
from activities.turns import Turns
from commerce.failures import Family, SystemFailure

HISTORY = "status_histories[entity_id,comment,status,created_at]"


class OrderComments:
    """Writes comments to one shop, each in its turn."""

    def __init__(self, client: MagentoClient, turns: Turns, *, system: str) -> None:
        self._client = client
        self._turns = turns
        self._system = system

    async def write(
        self, shop_id: str, order_key: str, body: Mapping[str, Any], key: str, looked_at: datetime, tried: str
    ) -> None:
        """`body` of `mapping.comment_body`. TRANSIENT where the order has left the status that the body names."""
        try:
            async with self._turns.take(key, looked_at=looked_at, tried=tried):
                await self._client.post("orders/{id}/comments", body, tried=tried, order_key=order_key, id=shop_id)
        except SystemFailure as err:
            status = body["statusHistory"]["status"]
            if err.family is not Family.REJECTED or await self._is_still(shop_id, order_key, status, tried):
                raise
            raise SystemFailure(
                Family.TRANSIENT,
                tried,
                "the order's status changed in the shop meanwhile",
                system=self._system,
                request_id=err.request_id,
                do_next="nothing: it is looked at again by itself",
            ) from err

    async def _is_still(self, shop_id: str, order_key: str, status: str, tried: str) -> bool:
        """Whether a status still belongs to the order. A shop refuses one that was right a moment ago."""
        order = await self._client.get(
            "orders/{id}", tried=tried, fields="state,status", order_key=order_key, id=shop_id
        )
        legal = self._client.settings.statuses.get(text(order, "state"), ())
        return text(order, "status") == status or status in legal


def mentions(comment: str, value: str) -> bool:
    """Whether a comment holds the value as a whole: number 42 is not in "RE-42-1", nor a link in a longer one."""
    bounded = rf"(?<![\w/.-]){re.escape(value)}(?![\w/#%&=?-]|\.\w)"
    return any(re.search(bounded, said) is not None for said in {comment, html.unescape(comment)})


def note_with(order: Mapping[str, Any], *values: str) -> Mapping[str, Any] | None:
    """The comment that mentions all values; the first written wins."""
    notes = [
        note for note in rows(order, "status_histories") if all(mentions(text(note, "comment"), v) for v in values)
    ]
    return min(notes, key=lambda note: whole(note.get("entity_id")) or 0, default=None)
