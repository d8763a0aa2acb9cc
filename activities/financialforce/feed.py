"""What changed among goods on their way: sales orders, lines, shipments, boxes and transfers; and the flow's hints.

One call finds the orders that changed, one more reads them, so that equal states look equal. Only orders that carry our
key are followed. A pick list alone is not: it shows with the line or the shipment that changes beside it.
"""

from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any

from activities.changes import Change, Page, Reading
from activities.financialforce.goods import (
    Puzzling,
    Rows,
    UnknownValue,
    columns,
    fulfillment_of,
    key_paths,
    queries,
    rows_of,
)
from activities.financialforce.mapping import BOX, ORDER, ORDER_LINE, SHIPPING, TRANSFER
from activities.financialforce.settings import FinancialForceSettings
from activities.salesforce.client import SalesforceClient
from activities.salesforce.feed import BEGINNING, Stream, Streams, at_path, digest_of, stamp_of
from activities.salesforce.notifications import OrgNotifications
from activities.salesforce.soql import chunks, in_list
from commerce.fulfillment import problems

_SHORT_ID = 15  # characters; the other three of 18 say the case of the first ones
_AT_ONCE = 100


def followed(settings: FinancialForceSettings) -> dict[str, str]:
    """The objects that are followed, with the path to their order's key."""
    names, paths = settings.fields, key_paths(settings.fields)
    found = {
        ORDER: names.order_key,
        ORDER_LINE: paths["lines"],
        SHIPPING: paths["shippings"],
        BOX: paths["boxes"],
    }
    return found | ({TRANSFER: names.transfer_order} if settings.fulfillment.transfers else {})


class FinancialForceGoods:
    """Changes of the goods of orders, one for each order."""

    def __init__(self, settings: FinancialForceSettings, *, system: str, client: SalesforceClient) -> None:
        self.name = f"{system}:fulfillment"
        self.system = system
        self._settings = settings
        self._client = client
        self._followed = followed(settings)
        rules = settings.fulfillment
        self._streams = Streams(
            client,
            [
                Stream(sobject, sobject, "SystemModstamp", path, f"{path} != null")
                for sobject, path in self._followed.items()
            ],
            name=self.name,
            system=system,
            start=rules.changes_since,
            overlap=timedelta(seconds=rules.feed_overlap_seconds),
            page=rules.feed_page,
            deleted=True,
        )

    async def read(self, cursor: str | None) -> Page:
        keys, behind, more = await self._streams.follow(cursor)
        changes = await self._changes(keys, "read the goods that changed")
        changes.sort(key=lambda change: (change.at or BEGINNING, change.order_key))
        return Page(changes=tuple(changes), cursor=behind, more=more)

    async def fetch(self, reference: str) -> Change | None:
        """`reference` is an order key, or object and record id (`SCMC__Shipping__c/a2L...`)."""
        return (await self.fetch_all([reference]))[reference]

    async def fetch_all(self, references: Sequence[str]) -> dict[str, Change | None]:
        tried = "read the goods that notifications name"
        named = {reference: reference for reference in references if "/" not in reference}
        named |= await self._orders_of([reference for reference in references if "/" in reference], tried)
        found = {change.order_key: change for change in await self._changes(named.values(), tried)}
        return {reference: found.get(named.get(reference, "")) for reference in references}

    async def _orders_of(self, references: Iterable[str], tried: str) -> dict[str, str]:
        """The order key by reference, of records that belong to an order of ours."""
        records: dict[str, dict[str, str]] = {}
        for reference in references:
            sobject, _, record = reference.rpartition("/")
            if sobject in self._followed:
                records.setdefault(sobject, {})[record[:_SHORT_ID]] = reference
        found: dict[str, str] = {}
        portions = {sobject: chunks(by_id, most=_AT_ONCE) for sobject, by_id in records.items()}
        while asked := {sobject: ids for sobject, each in portions.items() if (ids := next(each, ()))}:
            rows = await self._client.query_many(
                {
                    sobject: f"SELECT Id, {self._followed[sobject]} FROM {sobject} WHERE Id IN {in_list(ids)}"
                    for sobject, ids in asked.items()
                },
                tried=tried,
                deleted=True,
            )
            for sobject in asked:
                for row in rows[sobject]:
                    key = at_path(row, self._followed[sobject])
                    if key:
                        found[records[sobject][str(row["Id"])[:_SHORT_ID]]] = str(key)
        return found

    async def _changes(self, keys: Iterable[str], tried: str) -> list[Change]:
        changes: list[Change] = []
        for portion in chunks(keys):
            found = await self._client.query_many(queries(portion, self._settings), tried=tried)
            changes += [self._change(key, found) for key in portion]
        return changes

    def _change(self, key: str, found: dict[str, list[dict[str, Any]]]) -> Change:
        """Told apart by what a reading is made of; an order that is gone is a state as well."""
        rows = rows_of(key, found, self._settings.fields)
        state: list[Any] = []
        stamps = []
        for kind, (_, names) in columns(self._settings).items():
            for row in getattr(rows, kind):
                state += [at_path(row, name) for name in names if not name.endswith("SystemModstamp")]
                stamps.append(stamp_of(row["SystemModstamp"]))
        return Change(
            order_key=key,
            what="fulfillment",
            digest=digest_of(state),
            at=max(stamps) if stamps else None,
            reading=self._reading(key, rows),
        )

    def _reading(self, key: str, rows: Rows) -> Reading | None:
        """The goods, so that the order's run need not ask again; what only a person can explain it asks for itself."""
        if not rows.lines:
            return None
        try:
            goods = fulfillment_of(key, rows, self._settings)
        except (UnknownValue, Puzzling):
            return None
        return None if problems(None, goods) else Reading(at=goods.changed_at, goods=goods)


class FinancialForceNotifications(OrgNotifications):
    def __init__(self, settings: FinancialForceSettings, *, system: str) -> None:
        if settings.webhook_secret is None:
            raise ValueError("webhook_secret is missing: notifications without a shared secret prove nothing")
        sources = dict.fromkeys(followed(settings), f"{system}:fulfillment")
        super().__init__(settings.webhook_secret.get_secret_value(), sources, key="orderKey")
