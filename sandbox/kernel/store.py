"""Persistent documents for the stand-ins: memory for reading, SQLite for keeping.

A change is kept before it is acknowledged: the gate commits the transaction first and sends the reply afterwards, so
that what a vendor acknowledged survives a kill -9. Documents are values: read one, build a changed copy, put it back.
"""

import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

Doc = dict[str, Any]


class Table:
    """One kind of document of one vendor, by id, in insertion order."""

    def __init__(self, store: "Store", name: str) -> None:
        self._store = store
        self._name = name
        self._docs: dict[str, Doc] = {}
        self._indexes: dict[str, dict[Any, dict[str, None]]] = {}

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

    def where(self, field: str, value: Any) -> list[Doc]:
        """Documents whose top-level `field` equals `value` (hashable), through an index that is built on first use."""
        index = self._indexes.get(field)
        if index is None:
            index = self._indexes[field] = {}
            for key, doc in self._docs.items():
                index.setdefault(doc.get(field), {})[key] = None
        return [self._docs[key] for key in index.get(value, {})]

    def put(self, key: str, doc: Doc) -> None:
        self._change(key, doc)

    def delete(self, key: str) -> None:
        if key in self._docs:
            self._change(key, None)

    def _change(self, key: str, doc: Doc | None) -> None:
        old = self._docs.get(key)
        self._apply(key, doc)
        self._store._changed(self._name, key, doc, lambda: self._apply(key, old))

    def _apply(self, key: str, doc: Doc | None) -> None:
        old = self._docs.get(key)
        for field, index in self._indexes.items():
            if old is not None:
                index.get(old.get(field), {}).pop(key, None)
            if doc is not None:
                index.setdefault(doc.get(field), {})[key] = None
        if doc is None:
            self._docs.pop(key, None)
        else:
            self._docs[key] = doc


class Store:
    """All tables of all vendors in one SQLite file (`None`: memory only, for unit tests of a stand-in)."""

    def __init__(self, path: Path | None) -> None:
        self._db = sqlite3.connect(path or ":memory:", isolation_level=None, check_same_thread=False)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=NORMAL")
        self._db.execute(
            "CREATE TABLE IF NOT EXISTS docs (kind TEXT, id TEXT, body TEXT NOT NULL, PRIMARY KEY (kind, id))"
        )
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
        """The next number of a counter, without gaps inside one transaction history."""
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
        """All changes inside are kept together, or none when the body raises. Nested uses join the outer one."""
        if self._undo is not None:
            yield
            return
        self._undo = []
        self._db.execute("BEGIN")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            for undo in reversed(self._undo):
                undo()
            raise
        else:
            self._db.execute("COMMIT")
        finally:
            self._undo = None

    def _changed(self, kind: str, key: str, doc: Doc | None, undo: Callable[[], None]) -> None:
        if self._undo is None:
            undo()
            raise RuntimeError(f"{kind} {key} was changed outside a transaction")
        self._undo.append(undo)
        if doc is None:
            self._db.execute("DELETE FROM docs WHERE kind = ? AND id = ?", (kind, key))
        else:
            self._db.execute(
                "INSERT INTO docs (kind, id, body) VALUES (?, ?, ?) "
                "ON CONFLICT (kind, id) DO UPDATE SET body = excluded.body",
                (kind, key, json.dumps(doc, ensure_ascii=False)),
            )

    def close(self) -> None:
        self._db.close()
