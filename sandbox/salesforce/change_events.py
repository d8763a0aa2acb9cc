"""Change Data Capture: what changed in the selected objects, kept in order for subscribers of the Pub/Sub API.

Nothing is kept until somebody switches it on (`python -m sandbox --pubsub`). Acts: `lose-events` ends the retention of
all that was kept; `gap-event {"object", "record"?}` says that changes were not captured (no record: an overflow).
`configure-events {"keepalive_seconds"}` sets how often a quiet subscription is told that it is alive.
"""

import hashlib
import json
from functools import partial

from sandbox.kernel.store import Table
from sandbox.kernel.world import ActError
from sandbox.salesforce.org import Org
from sandbox.salesforce.packages.scm_amounts import LINE, ORDER
from sandbox.salesforce.packages.scm_shipping_objects import BOX, SHIPPING, TRANSFER
from sandbox.salesforce.packages.settings import Settings
from sandbox.salesforce.schema import Doc

SELECTED = (ORDER, LINE, SHIPPING, BOX, TRANSFER)  # five entities come without an add-on
EVENTS = "salesforce.~events"
RETENTION = "salesforce.~retention"
SETTINGS = Settings("events", {"keepalive_seconds": 270.0})
CHANGES = ("CREATE", "UPDATE", "DELETE", "UNDELETE")
GAPS = (*(f"GAP_{change}" for change in CHANGES), "GAP_OVERFLOW")
_TEXTS = {"type": "array", "items": "string"}
_HEADER = {
    "type": "record",
    "name": "ChangeEventHeader",
    "fields": [
        {"name": "entityName", "type": "string"},
        {"name": "recordIds", "type": _TEXTS},
        {"name": "changeType", "type": {"type": "enum", "name": "ChangeType", "symbols": [*CHANGES, *GAPS]}},
        {"name": "changeOrigin", "type": "string"},
        {"name": "transactionKey", "type": "string"},
        {"name": "sequenceNumber", "type": "int"},
        {"name": "commitTimestamp", "type": "long"},
        {"name": "commitNumber", "type": "long"},
        {"name": "commitUser", "type": "string"},
        {"name": "nulledFields", "type": _TEXTS},
        {"name": "diffFields", "type": _TEXTS},
        {"name": "changedFields", "type": _TEXTS},
    ],
}


def topics() -> dict[str, frozenset[str]]:
    """Each channel with the objects that it tells of."""
    own = {f"/data/{name.removesuffix('__c')}__ChangeEvent": frozenset({name}) for name in SELECTED}
    return {"/data/ChangeEvents": frozenset(SELECTED), **own}


def schema_of(name: str) -> str:
    """The Avro schema of an object's events, as JSON."""
    fields = [{"name": "ChangeEventHeader", "type": _HEADER}, {"name": "Name", "type": ["null", "string"]}]
    record = {"type": "record", "name": f"{name.removesuffix('__c')}__ChangeEvent", "fields": fields}
    return json.dumps(record | {"namespace": "com.sforce.eventbus"})


def schema_id(name: str) -> str:
    return hashlib.sha256(schema_of(name).encode()).hexdigest()[:22]


class Captured:
    """The events that are retained. A row: `object`, `records`, `change`, `at` (epoch milliseconds)."""

    def __init__(self, org: Org) -> None:
        self._org = org
        self.on = False
        for name in SELECTED:
            org.after_save(name, partial(self._saved, name))
            org.after_delete(name, partial(self._deleted, name))
        org.on_act("lose-events", self._lose)
        org.on_act("gap-event", self._gap)
        org.on_act("configure-events", SETTINGS.change)

    @property
    def table(self) -> Table:
        return self._org.store.table(EVENTS)

    @property
    def last(self) -> int:
        """The number of the latest event, 0 before the first."""
        counter = self._org.store.table("kernel.counters").get(EVENTS)
        return int(counter["value"]) if counter else 0

    @property
    def lost(self) -> int:
        """Events up to this number are retained no more."""
        kept = self._org.store.table(RETENTION).get("lost")
        return int(kept["number"]) if kept else 0

    @property
    def keepalive(self) -> float:
        return float(SETTINGS.get(self._org, "keepalive_seconds"))

    def _saved(self, name: str, org: Org, new: Doc, old: Doc | None) -> None:
        self._keep(name, [new["Id"]], "CREATE" if old is None else "UPDATE")

    def _deleted(self, name: str, org: Org, old: Doc) -> None:
        self._keep(name, [old["Id"]], "DELETE")

    def _keep(self, name: str, records: list[str], change: str) -> None:
        if self.on:
            at = int(self._org.now().timestamp() * 1000)
            number = self._org.store.number(EVENTS)
            self.table.put(str(number), {"object": name, "records": records, "change": change, "at": at})

    def _lose(self, org: Org, arguments: Doc) -> Doc:
        for key in list(self.table):
            self.table.delete(key)
        number = org.store.number(EVENTS)  # the stream went on meanwhile
        org.store.table(RETENTION).put("lost", {"number": number})
        return {"lost": number}

    def _gap(self, org: Org, arguments: Doc) -> Doc:
        name, record = arguments.get("object"), arguments.get("record")
        if name not in SELECTED:
            raise ActError(f"object: {name!r} is not selected", allowed=list(SELECTED))
        self._keep(str(name), [str(record)] if record else [], "GAP_UPDATE" if record else "GAP_OVERFLOW")
        return {"told": self.last}
