"""What the shop's own books show for a reconciliation: orders, invoices, shipments, and money of its own gateway.

Orders are found by the time of their last change, which also an invoice, a shipment or a credit memo moves.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from activities.magento.activities import CANCELED_INVOICE, INVOICE_STATES
from activities.magento.client import Filter, MagentoClient, StoreView
from activities.magento.feed import CANCELED
from activities.magento.fields import Unmappable, at_path, group, moment, money, rows, stamp, text, whole
from activities.magento.mapping import known_currency
from activities.magento.payments import payments_of
from activities.magento.shipped import ITEMS, SHIPMENT, counted, shipment_of
from activities.reconcile import KeyPage, Period
from commerce.failures import Family, SystemFailure
from commerce.money import Money, total
from commerce.order import PaymentState
from commerce.statements import Statement, StatementKind, StatementState

_TRIED = "read the shop's documents for a comparison"
_ORDER = (
    "entity_id,increment_id,store_id,state,status,created_at,updated_at,order_currency_code,grand_total,"
    f"payment[method,po_number,amount_paid,amount_refunded,last_trans_id],extension_attributes,{ITEMS}"
)
_INVOICE = (
    "entity_id,increment_id,order_id,state,grand_total,order_currency_code,created_at,updated_at,extension_attributes"
)
# States in which an order was taken in before, or is past being taken in.
_LATER = frozenset({"complete", "closed"})


class MagentoStatements:
    """A `Reader`."""

    def __init__(self, client: MagentoClient, *, system: str) -> None:
        self._client = client
        self._settings = client.settings
        self._system = system
        self._columns = ",".join(
            dict.fromkeys([_ORDER, *(extra.field.split(".")[0] for extra in self._settings.extra_totals)])
        )

    async def touched(self, period: Period, cursor: str) -> KeyPage:
        """By ascending id: an order that changes meanwhile moves to no other page."""
        views = await self._client.store_views(tried=_TRIED)
        since, until = stamp(period.since), stamp(period.until)
        filters = [
            *self._taken_in(views),
            [Filter("updated_at", since, "gteq")],
            [Filter("created_at", until, "lt")],
            [Filter("updated_at", until, "lt"), Filter("created_at", since, "gteq")],
            *([[Filter("entity_id", cursor, "gt")]] if cursor else []),
        ]
        found = await self._client.search(
            "orders",
            filters,
            tried="find the shop's changed orders",
            sort=(("entity_id", "ASC"),),
            fields="entity_id,increment_id,store_id",
        )
        last = text(found.items[-1], "entity_id") if found.items else ""
        if found.more and (not last or last == cursor):
            raise self._odd("the search does not go on after the last row")
        keys = tuple(self._key(row, views) for row in found.items)
        return KeyPage(keys=keys, cursor=last if found.more else "")

    async def statements(self, keys: Sequence[str]) -> list[Statement]:
        views = await self._client.store_views(tried=_TRIED)
        wanted = frozenset(keys)
        numbers = sorted({key.partition(":")[2] for key in keys})
        found: list[Statement] = []
        orders: dict[str, tuple[Statement, Mapping[str, Any]]] = {}
        async for row in self._listed("orders", "increment_id", numbers, self._columns, self._taken_in(views)):
            key = self._key(row, views)
            if key in wanted:
                made = self._order(key, row)
                orders[text(row, "entity_id")] = (made[0], row)
                found += made
        async for row in self._listed("invoices", "order_id", sorted(orders), _INVOICE):
            owner = orders.get(text(row, "order_id"))
            if owner is not None:
                found.append(self._invoice(owner[0].key, row))
        async for row in self._listed("shipments", "order_id", sorted(orders), SHIPMENT):
            owner = orders.get(text(row, "order_id"))
            if owner is not None:
                found.append(await self._shipment(*owner, row))
        return found

    async def _listed(
        self, what: str, field: str, values: Sequence[str], fields: str, also: Sequence[Sequence[Filter]] = ()
    ) -> AsyncIterator[Mapping[str, Any]]:
        for i in range(0, len(values), 50):  # the address of a search must not grow past what proxies take
            one_of = Filter(field, ",".join(values[i : i + 50]), "in")
            async for row in self._client.keyset(what, [[one_of], *also], tried=_TRIED, fields=fields):
                yield row

    def _taken_in(self, views: Mapping[int, StoreView]) -> list[list[Filter]]:
        """What Holdfast is to take in: from the go-live on, of the stores that are named."""
        groups = [[Filter("created_at", stamp(self._settings.orders_since), "gteq")]]
        if self._settings.stores:
            ids = [str(view.id) for view in views.values() if view.code in self._settings.stores]
            groups.append([Filter("store_id", ",".join(ids) or "-1", "in")])
        return groups

    def _key(self, row: Mapping[str, Any], views: Mapping[int, StoreView]) -> str:
        view = views.get(whole(row.get("store_id")) or 0)
        return f"{view.code if view else text(row, 'store_id')}:{text(row, 'increment_id')}"

    # ---- one document ------------------------------------------------------------------------------------------------

    def _order(self, key: str, row: Mapping[str, Any]) -> list[Statement]:
        try:
            currency = known_currency(row, "order_currency_code")
            grand_total = money(row, "grand_total", currency)
            # Booked and billed is the total before gift cards and store credit, which are payments.
            gross = grand_total + self._prepaid(row, currency)
            state = text(row, "state")
            method = text(group(row, "payment"), "method")
            meaning = self._settings.payment_methods.get(method, "captured")
            order = self._statement(
                StatementKind.SHOP_ORDER, key, row, gross, self._order_state(state), state
            ).model_copy(
                update={
                    "on_account": meaning == "on_account",
                    "canceled": counted(rows(row, "items"), "qty_canceled"),
                    "refunded": counted(rows(row, "items"), "qty_refunded"),
                }
            )
        except Unmappable as err:
            raise self._odd(f"order {key}: {err}") from err
        return [order, *self._gateway(key, row, grand_total)]

    def _order_state(self, state: str) -> StatementState:
        if state == CANCELED:
            return StatementState.CANCELED
        due = state in self._settings.order_states or state in _LATER
        return StatementState.LIVE if due else StatementState.PENDING

    def _prepaid(self, row: Mapping[str, Any], currency: str) -> Money:
        extension = group(row, "extension_attributes")
        parts = [money(extension, name, currency) for name in ("gift_cards_amount", "customer_balance_amount")]
        parts += [
            money(at_path(row, extra.field), extra.field.split(".")[-1], currency)
            for extra in self._settings.extra_totals
            if extra.kind == "gift_card"
        ]
        return total(parts, currency)

    def _gateway(self, key: str, row: Mapping[str, Any], grand_total: Money) -> list[Statement]:
        """Money that the shop's own gateway took and gave back."""
        try:
            payments = [one for one in payments_of(row, grand_total, self._settings) if one.amount]
        except Unmappable:
            return []  # not captured yet: the order itself is quarantined with this reason
        taken = [one for one in payments if one.state is PaymentState.CAPTURED]
        found = []
        for payment in taken:
            one = self._statement(StatementKind.PAYMENT, key, row, payment.amount, StatementState.LIVE, "captured")
            its = {"id": payment.transaction_id, "number": "", "item": payment.transaction_id}
            found.append(one.model_copy(update=its))
        back = money(group(row, "payment"), "amount_refunded", grand_total.currency)
        if back and len(taken) == 1:
            more: dict[str, Any] = {"kind": StatementKind.REFUND, "amount": back, "status": "refunded"}
            found.append(found[0].model_copy(update=more))
        return found

    def _invoice(self, key: str, row: Mapping[str, Any]) -> Statement:
        try:
            currency = known_currency(row, "order_currency_code")
            gross = money(row, "grand_total", currency) + self._prepaid(row, currency)
            code = whole(row.get("state"))
            state = StatementState.CANCELED if code == CANCELED_INVOICE else StatementState.LIVE
            status = INVOICE_STATES.get(code or 0, text(row, "state"))
            return self._statement(StatementKind.SHOP_INVOICE, key, row, gross, state, status)
        except Unmappable as err:
            raise self._odd(f"an invoice of order {key}: {err}") from err

    async def _shipment(self, order: Statement, order_row: Mapping[str, Any], row: Mapping[str, Any]) -> Statement:
        if not rows(row, "comments"):  # lists may leave out what the single document shows
            path = {"id": text(row, "entity_id")}
            comments = await self._client.get("shipment/{id}/comments", tried=_TRIED, order_key=order.key, **path)
            row = {**row, "comments": rows(comments, "items")}
        try:
            return shipment_of(order, rows(order_row, "items"), row, prefix=self._settings.shipment_prefix)
        except Unmappable as err:
            raise self._odd(f"a shipment of order {order.key}: {err}") from err

    def _statement(
        self,
        kind: StatementKind,
        key: str,
        row: Mapping[str, Any],
        amount: Money,
        state: StatementState,
        status: str,
    ) -> Statement:
        created = moment(row, "created_at")
        return Statement(
            kind=kind,
            system=self._system,
            key=key,
            id=text(row, "entity_id"),
            number=text(row, "increment_id"),
            amount=amount,
            state=state,
            status=status,
            created_at=created,
            modified_at=max(created, moment(row, "updated_at")),
        )

    def _odd(self, what: str) -> SystemFailure:
        return SystemFailure(
            Family.NEEDS_PERSON,
            _TRIED,
            f"an answer that the shop does not give: {what}",
            system=self._system,
            code="odd",
            do_next="check the shop's extensions that change orders",
        )
