"""What the stand-ins keep: all or nothing, in order, also after a restart."""

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from sandbox.kernel.store import Store, StoreInUse, Table


def restarted(store: Store, path: Path) -> Store:
    store.close()
    return Store(path)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.db"


def failing(store: Store, change: Callable[[], object]) -> None:
    """A transaction that makes a change and then raises."""
    with store.transaction():
        change()
        raise ZeroDivisionError


def kept(table: Table) -> list[tuple[str, object]]:
    return [(key, table.get(key)) for key in table]


def test_what_was_committed_is_there_after_a_restart_in_the_same_order(path: Path) -> None:
    store = Store(path)
    with store.transaction():
        for key in ("b", "a", "c"):
            store.table("v.x").put(key, {"n": key, "text": "Ångström 桜"})
        store.table("v.x").put("b", {"n": "changed"})
        store.table("v.x").delete("a")
        store.table("v.x").put("a", {"n": "again"})
    before = kept(store.table("v.x"))
    assert [key for key, _ in before] == ["b", "c", "a"]
    assert kept(restarted(store, path).table("v.x")) == before


def test_a_body_that_raises_leaves_memory_and_file_as_they_were(path: Path) -> None:
    store = Store(path)
    table = store.table("v.x")
    with store.transaction():
        for key in ("a", "b", "c"):
            table.put(key, {"kind": "old", "key": key})
    before = kept(table)

    def change() -> None:
        table.delete("a")
        table.put("b", {"kind": "new", "key": "b"})
        table.put("d", {"kind": "new", "key": "d"})
        store.number("v.n")

    with pytest.raises(ZeroDivisionError):
        failing(store, change)
    assert kept(table) == before
    assert [doc["key"] for doc in table.where("kind", "old")] == ["a", "b", "c"]
    assert table.where("kind", "new") == []
    store = restarted(store, path)
    assert kept(store.table("v.x")) == before
    with store.transaction():
        assert store.number("v.n") == 1


def test_a_part_that_raises_is_undone_alone(path: Path) -> None:
    store = Store(path)
    table = store.table("v.x")

    def change() -> None:
        table.put("lost", {})
        table.delete("kept")

    with store.transaction():
        table.put("kept", {})
        with pytest.raises(ZeroDivisionError):
            failing(store, change)
        with store.transaction():
            table.put("also kept", {})
    assert list(table) == ["kept", "also kept"]
    assert list(restarted(store, path).table("v.x")) == ["kept", "also kept"]


def test_an_inner_part_that_went_well_is_undone_with_the_whole(path: Path) -> None:
    store = Store(path)

    def change() -> None:
        with store.transaction():
            store.table("v.x").put("a", {})

    with pytest.raises(ZeroDivisionError):
        failing(store, change)
    assert list(store.table("v.x")) == []
    assert list(restarted(store, path).table("v.x")) == []


def test_a_change_outside_a_transaction_is_refused_and_not_seen() -> None:
    table = Store(None).table("v.x")
    with pytest.raises(RuntimeError, match="outside a transaction"):
        table.put("a", {})
    assert list(table) == []


def test_a_document_that_is_not_json_is_refused_and_not_seen() -> None:
    store = Store(None)
    table = store.table("v.x")
    with store.transaction():
        with pytest.raises(TypeError):
            table.put("a", {"x": object()})
        table.put("b", {"fine": True})
    assert list(table) == ["b"]


def test_a_kept_document_does_not_change_with_the_object_it_was_made_from() -> None:
    store = Store(None)
    doc = {"lines": [1]}
    with store.transaction():
        store.table("v.x").put("a", doc)
    doc["lines"].append(2)
    assert store.table("v.x").get("a") == {"lines": [1]}


def test_the_index_follows_changes_and_keeps_insertion_order() -> None:
    store = Store(None)
    table = store.table("v.x")
    with store.transaction():
        for key in ("a", "b", "c"):
            table.put(key, {"key": key, "order": 1})
        assert len(table.where("order", 1)) == 3
        table.put("b", {"key": "b", "order": 2})
        table.put("b", {"key": "b", "order": 1})
        table.put("d", {"key": "d", "order": [1]})
        table.delete("c")
    assert [doc["key"] for doc in table.where("order", 1)] == ["a", "b"]
    assert table.where("order", 3) == []


def test_wiping_a_vendor_spares_the_others_and_restarts_its_counters() -> None:
    store = Store(None)
    with store.transaction():
        for vendor in ("sage-x3", "sage-100"):
            store.table(f"{vendor}.orders").put("1", {})
            store.number(f"{vendor}.orders")
        store.wipe("sage-x3.")
        assert (store.number("sage-x3.orders"), store.number("sage-100.orders")) == (1, 2)
    assert (len(store.table("sage-x3.orders")), len(store.table("sage-100.orders"))) == (0, 1)


def test_two_processes_cannot_write_one_file(path: Path) -> None:
    first = Store(path, exclusive=True)
    with pytest.raises(StoreInUse, match=r"store\.db"):
        Store(path, exclusive=True)
    first.close()
    Store(path, exclusive=True).close()


def test_a_commit_that_fails_is_not_seen(path: Path) -> None:
    store = Store(path)
    with store.transaction():
        store.table("v.x").put("a", {})
    store._db.execute("PRAGMA max_page_count = 1")  # SQLite raises it to what the file has: the disk is full from here
    with pytest.raises(sqlite3.OperationalError, match="full"), store.transaction():
        store.table("v.x").put("b", {"text": "x" * 100_000})
    assert list(store.table("v.x")) == ["a"]
