"""All feeds of a process share one look into the inbox, and none of them misses what came."""

import asyncio
from typing import Any

from sqlalchemy import event

from activities.ledger.inbox import Inbox
from activities.ledger.store import Ledger


async def _keep(ledger: Ledger, number: str) -> None:
    await ledger.keep_notification("shop", {}, b"{}", sender_id=number, source="shop:orders", reference=number)


async def test_many_feeds_ask_as_often_as_one(ledger: Ledger) -> None:
    asked: list[str] = []

    def count(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        asked.append(statement)

    inbox = Inbox(ledger.engine, fresh=60)
    event.listen(ledger.engine.sync_engine, "before_cursor_execute", count)
    found = await asyncio.gather(*(inbox.waits("shop", f"shop:{number}") for number in range(10)))
    event.remove(ledger.engine.sync_engine, "before_cursor_execute", count)
    assert (found, len(asked)) == ([False] * 10, 1)


async def test_what_came_is_seen_when_the_look_is_old(ledger: Ledger) -> None:
    inbox = Inbox(ledger.engine, fresh=0)
    assert not await inbox.waits("shop", "shop:orders")
    await _keep(ledger, "M-1")
    assert await inbox.waits("shop", "shop:orders")
    assert not await inbox.waits("shop", "shop:stock")
    assert not await inbox.waits("pay", "shop:orders")


async def test_what_we_put_in_ourselves_is_seen_at_once_until_somebody_was_told(ledger: Ledger) -> None:
    inbox = Inbox(ledger.engine, fresh=60)
    assert not await inbox.is_untold("shop")
    await _keep(ledger, "M-1")
    [one] = await ledger.waiting_notifications("shop", "shop:orders")
    await ledger.settle_notification(one.id, quarantine="unreadable")
    inbox.changed()
    assert await inbox.is_untold("shop")
    assert not await inbox.waits("shop", "shop:orders")
