"""Orders that were edited: each edit cancels an order and places another one, which names the one that it replaces."""

from sqlalchemy import ColumnElement, select
from sqlalchemy.ext.asyncio import AsyncEngine

from activities.ledger import tables as t
from activities.ledger.database import transaction
from commerce.model import Model
from commerce.money import Money

LONGEST = 50  # edits of one order that are followed; a shop that names them in a circle ends there


class ChainLink(Model):
    """One order of a chain. `stage` is the one it ended in, empty while its run is open."""

    store: str
    number: str
    replaces: str
    stage: str
    amount: Money

    @property
    def key(self) -> str:
        return f"{self.store}:{self.number}"


async def successor(engine: AsyncEngine, store: str, number: str) -> str:
    """The number of the order that replaces this one, as far as it was taken in; else empty."""
    found = await _after(engine, store, number)
    return found.number if found is not None else ""


async def chain_of(engine: AsyncEngine, store: str, number: str) -> list[ChainLink]:
    """The order with all that it replaces and is replaced by, first to last, as far as they were taken in.

    Empty for an order that nobody edited.
    """
    own = await _one(engine, store, number)
    if own is None:
        return []
    chain = [own]
    while chain[0].replaces and len(chain) < LONGEST:
        before = await _one(engine, store, chain[0].replaces)
        if before is None or before in chain:
            break
        chain.insert(0, before)
    while len(chain) < LONGEST:
        after = await _after(engine, store, chain[-1].number)
        if after is None or after in chain:
            break
        chain.append(after)
    return chain if len(chain) > 1 or own.replaces else []


_COLUMNS = (
    t.orders.c.store,
    t.orders.c.number,
    t.orders.c.replaces,
    t.orders.c.stage,
    t.orders.c.amount_minor,
    t.orders.c.currency,
)


async def _one(engine: AsyncEngine, store: str, number: str) -> ChainLink | None:
    return await _find(engine, t.orders.c.key == f"{store}:{number}")


async def _after(engine: AsyncEngine, store: str, number: str) -> ChainLink | None:
    return await _find(engine, (t.orders.c.store == store) & (t.orders.c.replaces == number))


async def _find(engine: AsyncEngine, which: ColumnElement[bool]) -> ChainLink | None:
    query = select(*_COLUMNS).where(which).order_by(t.orders.c.received_at).limit(1)
    async with transaction(engine) as db:
        row = (await db.execute(query)).mappings().one_or_none()
    if row is None:
        return None
    return ChainLink(
        store=row["store"],
        number=row["number"],
        replaces=row["replaces"],
        stage=row["stage"],
        amount=Money(minor=row["amount_minor"], currency=row["currency"]),
    )
