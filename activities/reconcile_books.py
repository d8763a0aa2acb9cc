"""Fills `Books`: reads one system through its reader, page by page, into the ledger."""

from collections.abc import Callable

from temporalio import activity

from activities.ledger.reconciliations import ReconciliationBook
from activities.reconcile import ORDERS_AT_ONCE, Books, BooksRead, FindKeys, KeysFound, ReadBooks, Reader
from activities.steps import step

# Pages in one turn. Between the turns what is about money goes first: a comparison never holds an order up.
PAGES_IN_A_TURN = 5


class ReconcileBooks(Books):
    """`serves` says whether orders of a store can be in this system at all."""

    def __init__(self, reader: Reader, book: ReconciliationBook, serves: Callable[[str], bool]) -> None:
        self._reader = reader
        self._book = book
        self._serves = serves

    @activity.defn(name="books.find_keys")
    @step
    async def find_keys(self, task: FindKeys) -> KeysFound:
        number, cursor = 0, task.cursor
        for _ in range(PAGES_IN_A_TURN):
            page = await self._reader.touched(task.period, cursor)
            keys = [key for key in page.keys if self._is_wanted(key, task.store)]
            number += await self._book.add_orders(task.ask_id, keys)
            cursor = page.cursor
            if not cursor:
                break
        return KeysFound(number=number, cursor=cursor)

    @activity.defn(name="books.read")
    @step
    async def read(self, task: ReadBooks) -> BooksRead:
        orders = documents = 0
        after = task.after
        for _ in range(PAGES_IN_A_TURN):
            keys = await self._book.orders_after(task.ask_id, after, ORDERS_AT_ONCE, again=task.again)
            mine = [key for key in keys if self._is_wanted(key, "")]
            found = await self._reader.statements(mine) if mine else []
            await self._book.keep_statements(task.ask_id, task.endpoint, mine, found)
            orders, documents = orders + len(mine), documents + len(found)
            if len(keys) < ORDERS_AT_ONCE:
                return BooksRead(orders=orders, documents=documents)
            after = keys[-1]
        return BooksRead(orders=orders, documents=documents, after=after)

    def _is_wanted(self, key: str, store: str) -> bool:
        of, colon, number = key.partition(":")
        return bool(colon and number) and of != "*" and store in ("", of) and self._serves(of)
