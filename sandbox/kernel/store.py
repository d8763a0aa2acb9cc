"""Persistent documents for the stand-ins: memory for reading, SQLite for keeping.

A change is kept before it is acknowledged: the gate commits the transaction first and sends the reply afterwards, so
that what a vendor acknowledged survives a kill -9. Documents are values: read one, build a changed copy, put it back.
What is read has always been through JSON, so that a document looks the same before and after a restart.
"""

import json
import sqlite3
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

Doc = dict[str, Any]

_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode


class StoreInUse(RuntimeError):
    """Another process has the store's file open; the message names the file."""


class Table:
    """One kind of document of one vendor, by id, in insertion order."""

    def __init__(self, store: "Store", name: str) -> None:
        self._store = store
        self._name = name
        self._docs: dict[str, Doc] = {}
        self._place: dict[str, int] = {}
        self._last = 0
        self._indexes: dict[str, dict[Hashable, set[str]]] = {}

    def __len__(self) -> int:
        return len(self._docs)

    def __contains__(self, key: str) -> bool:
        return key in self._docs

    def __iter__(self) -> Iterator[str]:
        return iter(list(self._docs))

    def get(self, key: str) -> Doc | None:
        return self._docs.get(key)

    def values(self) -> list[Doc]:
        return list(self._docs.values())

    def where(self, field: str, value: Hashable) -> list[Doc]:
        """Documents whose top-level `field` equals `value`, in insertion order, through an index built on first use.

        A document that holds a list or an object in `field` is never found by it.
        """
        index = self._indexes.get(field)
        if index is None:
            index = self._indexes[field] = {}
            for key, doc in self._docs.items():
                _enter(index, doc.get(field), key)
        return [self._docs[key] for key in sorted(index.get(value, ()), key=self._place.__getitem__)]

    def put(self, key: str, doc: Doc) -> None:
        """Keep `doc` under `key`. Raises TypeError or ValueError, with nothing changed, when `doc` is not JSON."""
        body = _encode(doc)
        self._change(key, json.loads(body), body)

    def delete(self, key: str) -> None:
        if key in self._docs:
            self._change(key, None, None)

    def _change(self, key: str, doc: Doc | None, body: str | None) -> None:
        old, place = self._docs.get(key), self._place.get(key)
        self._store._keep(self._name, key, body, lambda: self._apply(key, old, place))
        self._apply(key, doc)

    def _apply(self, key: str, doc: Doc | None, place: int | None = None) -> None:
        """Change memory and indexes. `place` is given when a rollback brings a deleted document back to its place."""
        old = self._docs.get(key)
        for field, index in self._indexes.items():
            if old is not None:
                _leave(index, old.get(field), key)
            if doc is not None:
                _enter(index, doc.get(field), key)
        if doc is None:
            self._docs.pop(key, None)
            self._place.pop(key, None)
            return
        self._docs[key] = doc
        if key in self._place:
            return
        if place is None:
            self._last += 1
            self._place[key] = self._last
        else:
            self._place[key] = place
            self._docs = {k: self._docs[k] for k in sorted(self._docs, key=self._place.__getitem__)}


def _enter(index: dict[Hashable, set[str]], value: Any, key: str) -> None:
    if isinstance(value, Hashable):
        index.setdefault(value, set()).add(key)


def _leave(index: dict[Hashable, set[str]], value: Any, key: str) -> None:
    if isinstance(value, Hashable) and value in index:
        index[value].discard(key)
        if not index[value]:
            del index[value]


class Store:
    """All tables of all vendors in one SQLite file (`None`: memory only, for unit tests of a stand-in).

    `exclusive` keeps every other process out until this one closes the store or dies; raises StoreInUse.
    """

    def __init__(self, path: Path | None, *, exclusive: bool = False) -> None:
        self._db = sqlite3.connect(path or ":memory:", isolation_level=None, check_same_thread=False, timeout=0.5)
        try:
            if exclusive:
                self._db.execute("PRAGMA locking_mode=EXCLUSIVE")
            # WAL with NORMAL: a commit survives the death of the process at once (the promise above), and the loss of
            # power at the next checkpoint.
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=NORMAL")
            self._db.execute(
                "CREATE TABLE IF NOT EXISTS docs (kind TEXT, id TEXT, body TEXT NOT NULL, PRIMARY KEY (kind, id))"
            )
        except sqlite3.OperationalError as err:
            self._db.close()
            if "locked" in str(err):
                raise StoreInUse(f"{path} is in use by another process") from err
            raise
        self._tables: dict[str, Table] = {}
        self._undo: list[Callable[[], None]] | None = None
        for kind, key, body in self._db.execute("SELECT kind, id, body FROM docs ORDER BY rowid"):
            self.table(kind)._apply(key, json.loads(body))

    def table(self, name: str) -> Table:
        """The table called `name`; write it as `vendor.kind`, for example `magento.orders`."""
        if name not in self._tables:
            self._tables[name] = Table(self, name)
        return self._tables[name]

    def number(self, name: str, start: int = 1) -> int:
        """The next number of a counter (`vendor.what`), without gaps: a number taken in vain is given again."""
        counters = self.table("kernel.counters")
        value: int = (counters.get(name) or {"value": start - 1})["value"] + 1
        counters.put(name, {"value": value})
        return value

    def wipe(self, prefix: str) -> None:
        """Delete every document of the tables whose name starts with `prefix`, and the counters so named."""
        for name, table in list(self._tables.items()):
            for key in table:
                if name.startswith(prefix) or (name == "kernel.counters" and key.startswith(prefix)):
                    table.delete(key)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All changes inside are kept together, or none when the body raises.

        Inside another transaction it is a part of it: when its body raises, only its own changes are undone, and the
        outer one goes on with the exception in its hands.
        """
        nested = self._undo is not None
        undo = self._undo = self._undo if self._undo is not None else []
        mark = len(undo)
        self._db.execute("SAVEPOINT part" if nested else "BEGIN IMMEDIATE")
        try:
            yield
            self._db.execute("RELEASE part" if nested else "COMMIT")
        except BaseException:
            if nested:
                self._db.execute("ROLLBACK TO part")
                self._db.execute("RELEASE part")
            elif self._db.in_transaction:
                self._db.execute("ROLLBACK")
            for step in reversed(undo[mark:]):
                step()
            del undo[mark:]
            raise
        finally:
            if not nested:
                self._undo = None

    def _keep(self, kind: str, key: str, body: str | None, undo: Callable[[], None]) -> None:
        """Write one change to the open transaction; `undo` brings memory back should it be rolled back."""
        if self._undo is None:
            raise RuntimeError(f"{kind} {key} was changed outside a transaction")
        if body is None:
            self._db.execute("DELETE FROM docs WHERE kind = ? AND id = ?", (kind, key))
        else:
            self._db.execute(
                "INSERT INTO docs (kind, id, body) VALUES (?, ?, ?) "
                "ON CONFLICT (kind, id) DO UPDATE SET body = excluded.body",
                (kind, key, body),
            )
        self._undo.append(undo)

    def close(self) -> None:
        self._db.close()
