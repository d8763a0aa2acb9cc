"""One Salesforce org over the sandbox's store: objects, rows, hooks, and the doors that packages add.

Rows live in the tables `salesforce.<Object>`, deleted rows in `salesforce.<Object>~deleted` until the next reset.
Everything that changes rows needs an open store transaction; the gate opens one for every request and job.
"""

import hashlib
import hmac
import json
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Protocol

from sandbox.kernel.store import Table
from sandbox.kernel.world import Notification, World
from sandbox.salesforce import checks, ids, values
from sandbox.salesforce.errors import SalesforceError, not_found
from sandbox.salesforce.schema import Described, Doc, Field, SObject, describe

VENDOR = "salesforce"
USER_ID = ids.USER_ID
ORGANIZATION_ID = ids.make("00D", 1)
CURRENCIES = ("EUR", "USD", "JPY", "KWD", "CHF")
CURRENCY = "EUR"

Before = Callable[["Org", Doc, Doc | None], None]
After = Callable[["Org", Doc, Doc | None], None]
BeforeDelete = Callable[["Org", Doc], None]
Action = Callable[["Org", list[Doc]], list[Doc]]
ApexRest = Callable[["Org", str, Any], tuple[int, Any]]


class Package(Protocol):
    """A module under `packages`."""

    def install(self, org: "Org") -> None: ...


class Org:
    def __init__(self, world: World) -> None:
        self.world = world
        self.store = world.store
        self.actions: dict[str, Action] = {}
        self.apexrests: dict[str, ApexRest] = {}
        self.jobs: dict[str, Callable[[Org, Any], None]] = {}
        self.ticks: list[Callable[[Org], None]] = []
        self.acts: dict[str, Callable[[Org, Doc], Doc]] = {}
        self.books: list[Callable[[Org], Doc]] = []
        self.seeds: list[Callable[[Org, str], None]] = []
        self._defined: dict[str, SObject] = {}
        self._added: dict[str, list[Field]] = {}
        self._described: dict[str, Described] = {}
        self._before: dict[str, list[tuple[Before, bool]]] = {}
        self._after: dict[str, list[After]] = {}
        self._before_delete: dict[str, list[tuple[BeforeDelete, bool]]] = {}
        self._after_delete: dict[str, list[BeforeDelete]] = {}

    # --- what packages declare -----------------------------------------------------------------------------------

    def define(self, obj: SObject) -> None:
        """Add an object; raises ValueError when the name or the prefix is taken."""
        for other in self._defined.values():
            if obj.name.lower() == other.name.lower() or obj.prefix == other.prefix:
                raise ValueError(f"{obj.name} ({obj.prefix}) collides with {other.name} ({other.prefix})")
        self._defined[obj.name] = obj
        self._described.clear()

    def extend(self, object_name: str, *fields: Field) -> None:
        """Add fields to an object, whether it is defined yet or not."""
        self._added.setdefault(object_name, []).extend(fields)
        self._described.clear()

    def before_save(self, object_name: str, fn: Before, *, guard: bool = False) -> None:
        """`fn(org, new, old)` may change `new` or raise; a guard does not hold back package code (system=True)."""
        self._before.setdefault(object_name, []).append((fn, guard))

    def after_save(self, object_name: str, fn: After) -> None:
        """`fn(org, new, old)` after the row is stored, in the same transaction."""
        self._after.setdefault(object_name, []).append(fn)

    def before_delete(self, object_name: str, fn: BeforeDelete, *, guard: bool = False) -> None:
        self._before_delete.setdefault(object_name, []).append((fn, guard))

    def after_delete(self, object_name: str, fn: BeforeDelete) -> None:
        self._after_delete.setdefault(object_name, []).append(fn)

    def action(self, name: str, fn: Action) -> None:
        """Invocable Apex: `POST /actions/custom/apex/{name}`; one output for each input, or raise SalesforceError."""
        self.actions[name.lower()] = fn

    def apexrest(self, path: str, fn: ApexRest) -> None:
        """`/services/apexrest/{path}`; `fn(org, method, body)` returns status and JSON."""
        self.apexrests[path.strip("/").lower()] = fn

    def job(self, name: str, fn: Callable[["Org", Any], None]) -> None:
        self.jobs[name] = fn

    def schedule(self, name: str, seconds: float, payload: Any) -> None:
        """Run the job `name` in a transaction of its own after `seconds`, also over a restart."""
        self.world.schedule(VENDOR, name, seconds, payload)

    def on_tick(self, fn: Callable[["Org"], None]) -> None:
        self.ticks.append(fn)

    def on_act(self, do: str, fn: Callable[["Org", Doc], Doc]) -> None:
        self.acts[do] = fn

    def on_books(self, fn: Callable[["Org"], Doc]) -> None:
        self.books.append(fn)

    def on_seed(self, fn: Callable[["Org", str], None]) -> None:
        self.seeds.append(fn)

    # --- schema --------------------------------------------------------------------------------------------------

    def object_names(self) -> list[str]:
        return sorted(self._defined)

    def described(self, name: str) -> Described | None:
        """The object of that name, whatever the case of its letters."""
        known = self._described.get(name)
        if known is None:
            exact = next((n for n in self._defined if n.lower() == name.lower()), None)
            if exact is None:
                return None
            added = tuple(self._added.get(exact, ()))
            known = self._described.get(exact) or describe(self._defined[exact], added, CURRENCIES, CURRENCY)
            self._described[exact] = self._described[name] = known
        return known

    def schema(self, name: str) -> Described:
        """The object of that name; raises NOT_FOUND the vendor's way."""
        known = self.described(name)
        if known is None:
            raise not_found()
        return known

    def object_of(self, record_id: str) -> Described | None:
        """The object that an id belongs to, by its prefix."""
        for obj in self._defined.values():
            if record_id.startswith(obj.prefix):
                return self.described(obj.name)
        return None

    def references_to(self, object_name: str) -> list[tuple[Described, Field]]:
        """Every reference in the org that may point to rows of the object."""
        return [
            (described, column)
            for name in self._defined
            for described in [self.schema(name)]
            for column in described.fields
            if object_name in column.reference_to
        ]

    # --- reading -------------------------------------------------------------------------------------------------

    def table(self, object_name: str) -> Table:
        return self.store.table(f"{VENDOR}.{object_name}")

    def deleted_table(self, object_name: str) -> Table:
        return self.store.table(f"{VENDOR}.{object_name}~deleted")

    def row(self, described: Described, stored: Doc) -> Doc:
        """A stored row with every field of its object, formulas included."""
        row = {column.name: values.from_store(column, stored.get(column.name)) for column in described.fields}
        for column in described.formulas:
            row[column.name] = column.formula(self, row) if column.formula else None
        return row

    def get(self, object_name: str, record_id: str) -> Doc | None:
        described = self.schema(object_name)
        stored = self.table(described.name).get(ids.normal(record_id) or "")
        return None if stored is None else self.row(described, stored)

    def find(self, object_name: str, field: str, value: Any) -> list[Doc]:
        """Rows whose stored `field` equals `value`, through an index; keys match in any case, other text exactly."""
        described = self.schema(object_name)
        return [self.row(described, stored) for stored in self.find_stored(described, field, value)]

    def find_stored(self, described: Described, field: str, value: Any) -> list[Doc]:
        column = described.field(field)
        if column is None or column.formula:
            raise ValueError(f"{described.name}.{field} is not a stored field")
        name, key = values.index_key(column, value)
        return self.table(described.name).where(name, key)

    def all(self, object_name: str) -> list[Doc]:
        """Every row of an object, oldest first."""
        described = self.schema(object_name)
        return [self.row(described, stored) for stored in self.table(described.name).values()]

    def now(self) -> datetime:
        return self.world.now()

    def today(self) -> str:
        return self.now().date().isoformat()

    # --- writing -------------------------------------------------------------------------------------------------

    def create(self, object_name: str, given: Doc, system: bool = False) -> str:
        """Insert a row and return its id. `system=True` is package code: it may write read-only fields."""
        described = self.schema(object_name)
        new = checks.accepted(self, described, given, None, system)
        master = described.master
        parent = self.get(master.reference_to[0], new[master.name]) if master and new.get(master.name) else None
        for column in described.fields:
            if column.auto_number:
                new[column.name] = new.get(column.name) or column.auto_number.format(
                    self.store.number(f"{VENDOR}.{described.name}.{column.name}")
                )
            elif column.name in new and not system and column.name != "CurrencyIsoCode":
                continue  # a caller's null is a value: it keeps the default away
            elif new.get(column.name) is None and not column.formula:
                if column.name == "CurrencyIsoCode" and parent is not None:
                    default = parent.get("CurrencyIsoCode")
                else:
                    default = column.default(self) if callable(column.default) else column.default
                new[column.name] = None if default is None else values.accept(column, default)
        record_id = ids.make(described.sobject.prefix, self.store.number(f"{VENDOR}.{described.name}"))
        new["Id"] = record_id
        if described.field("OwnerId") is not None:
            new["OwnerId"] = new.get("OwnerId") or USER_ID
        if described.name.endswith("__c"):
            new["Name"] = new.get("Name") or record_id  # the platform names a nameless custom row by its id
        now = values.stamp(self.now())
        new |= {"CreatedDate": new.get("CreatedDate") or now, "CreatedById": new.get("CreatedById") or USER_ID}
        self._save(described, new, None, system)
        return record_id

    def update(self, object_name: str, record_id: str, given: Doc, system: bool = False) -> None:
        described = self.schema(object_name)
        old = self.existing(described, record_id)
        new = old | checks.accepted(self, described, given, old, system)
        self._save(described, new, old, system)

    def upsert(
        self, object_name: str, ext_field: str, value: Any, given: Doc, system: bool = False
    ) -> tuple[str, bool]:
        """Update the row whose external id is `value`, or insert one; (id, created). Raises when several match."""
        described = self.schema(object_name)
        column = described.field(ext_field)
        if column is None or not (column.external_id or column.type == "id"):
            raise not_found("Provided external ID field does not exist or is not accessible: " + ext_field)
        found = self.find_stored(described, column.name, value)
        if len(found) > 1:
            raise SalesforceError("DUPLICATE_EXTERNAL_ID", f"{column.name}: more than one record found", status=300)
        if found:
            self.update(described.name, found[0]["Id"], given, system)
            return found[0]["Id"], False
        if column.type == "id":
            raise SalesforceError("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id")
        return self.create(described.name, given | {column.name: value}, system), True

    def delete(self, object_name: str, record_id: str, system: bool = False) -> None:
        """Move a row to the recycle bin, with its detail rows; look-ups to it are cleared."""
        described = self.schema(object_name)
        old = self.existing(described, record_id)
        for fn, guard in self._before_delete.get(described.name, []):
            if not (guard and system):
                fn(self, old)
        for child, column in self.references_to(described.name):
            for stored in self.find_stored(child, column.name, old["Id"]):
                self._unlink(child, column, stored["Id"], system)
        kept = self.table(described.name).get(old["Id"])
        if kept is not None:
            now = values.stamp(self.now())
            self.table(described.name).delete(old["Id"])
            gone = kept | {"IsDeleted": True, "SystemModstamp": now, "LastModifiedDate": now}
            self.deleted_table(described.name).put(old["Id"], gone)
        for after in self._after_delete.get(described.name, []):
            after(self, old)

    def _unlink(self, child: Described, column: Field, child_id: str, system: bool) -> None:
        if column.master_detail:
            if child_id in self.table(child.name):
                self.delete(child.name, child_id, system)
        elif column.required:
            raise SalesforceError(
                "DELETE_FAILED",
                f"Your attempt to delete this record could not be completed because it is associated with {child_id}",
            )
        elif column.name not in ("CreatedById", "LastModifiedById"):
            self.update(child.name, child_id, {column.name: None}, system=True)

    def existing(self, described: Described, record_id: str) -> Doc:
        """The row, or the platform's refusal: no id, deleted, never there."""
        known = ids.normal(record_id)
        if known is None or not known.startswith(described.sobject.prefix):
            raise not_found("Provided external ID field does not exist or is not accessible: " + record_id)
        stored = self.table(described.name).get(known)
        if stored is not None:
            return self.row(described, stored)
        if known in self.deleted_table(described.name):
            raise SalesforceError("ENTITY_IS_DELETED", "entity is deleted", status=404)
        raise not_found()

    def _save(self, described: Described, new: Doc, old: Doc | None, system: bool) -> None:
        for fn, guard in self._before.get(described.name, []):
            if not (guard and system):
                fn(self, new, old)
        checks.check(self, described, new, old)
        now = values.stamp(self.now())
        new |= {"LastModifiedDate": now, "LastModifiedById": USER_ID, "SystemModstamp": now, "IsDeleted": False}
        stored = values.to_store(described, new)
        self.table(described.name).put(new["Id"], stored)
        hooks = self._after.get(described.name, [])
        if hooks:
            saved = self.row(described, stored)
            for after in hooks:
                after(self, saved, old)

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """Undo the row changes of the body when it raises, and let the rest of the transaction stand."""
        with self.store.transaction():
            yield

    # --- outgoing ------------------------------------------------------------------------------------------------

    def notify(self, payload: Doc, *, topic: str = "", once: str = "") -> None:
        """Tell the merchant's webhook, signed, once the transaction is kept; without a target nobody is told.

        A `topic` has a webhook of its own. What a transaction says under the same `once` is told once.
        """
        target = self.world.notify_target(VENDOR)
        url = target and (target.get("topics", {}).get(topic) if topic else target["url"])
        if target is None or not url:
            return
        message = {"id": str(uuid.uuid4()), "at": self.now().strftime("%Y-%m-%dT%H:%M:%SZ")} | payload
        body = json.dumps(message, ensure_ascii=False).encode()
        signature = hmac.new(str(target.get("secret") or "").encode(), body, hashlib.sha256).hexdigest()
        headers = {"content-type": "application/json", "x-holdfast-signature": f"sha256={signature}"}
        self.world.notify(Notification(VENDOR, url, body, headers, f"{topic} {once}" if once else ""))
