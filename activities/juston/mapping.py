"""Payment entries: our words to JustOn's and back. Pure functions.

Amounts cross exactly: what the org shows with more decimals than the currency has is never rounded into a payment.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from urllib.parse import quote as percent

from activities.juston.settings import CashFields, JustOnSettings
from activities.roles import EnsureEntry
from commerce.money import Money, decimals_of, exact
from commerce.order import Order, content
from commerce.payment import Collected, EntryState, EntryStatus
from commerce.text import Limit, Unit, measure, require, shorten

TITLE = Limit(field="Entry title", size=255, unit=Unit.UTF16)
REFERENCE = Limit(field="Entry payment reference", size=255, unit=Unit.UTF16)
KEY = Limit(field="Entry assignment key", size=255, unit=Unit.UTF16)
REASON = Limit(field="Entry cancellation reason", size=255, unit=Unit.UTF16)
# Salesforce's own limit of an e-mail field.
EMAIL = Limit(field="e-mail address", size=80, unit=Unit.UTF16)
ORDER_DATA = Limit(field="SalesOrderData__c", size=131072, unit=Unit.UTF16)

ENTRY_STATUSES = {"Open": EntryStatus.OPEN, "Balanced": EntryStatus.BALANCED, "Canceled": EntryStatus.CANCELED}


class Unexpected(ValueError):
    """The org shows something that has no meaning here yet: a person looks at it."""


@dataclass(frozen=True)
class EntryRecord:
    """An entry with what is known about its payments.

    `refunded` is money that went back to the buyer; `payment_ids` are all payments that touch the entry, also the
    failed ones; `modified_at` is the latest change of entry or payments.
    """

    state: EntryState
    invoice_id: str
    refunded: tuple[Collected, ...]
    payment_ids: tuple[str, ...]
    modified_at: datetime
    link: str = ""

    @property
    def untouched(self) -> bool:
        """Open, and no buyer has begun to pay."""
        return self.state.status is EntryStatus.OPEN and not self.state.assigned and not self.payment_ids

    @property
    def digest(self) -> str:
        """Equal for equal states of the money; the invoice of the entry is the billing feed's news."""
        parts = [self.state.model_dump_json(), *(one.model_dump_json() for one in self.refunded)]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]


# ---- ours to theirs --------------------------------------------------------------------------------------------------


def link_request(task: EnsureEntry, settings: JustOnSettings) -> dict[str, Any]:
    """The body that asks for an entry with its link, in wire names. Raises DoesNotFit."""
    order, names = task.order, settings.wire
    values: dict[str, Any] = {
        names.amount: task.amount.decimal(),
        names.currency: task.amount.currency,
        names.title: shorten(settings.title.format(store=order.store, number=order.number), TITLE),
        names.payment_reference: require(order.number, REFERENCE),
        names.assignment_key: require(task.key, KEY),
        names.date: order.placed_at.date().isoformat(),
        names.due_date: task.expires_at.date().isoformat(),
        names.email: require(order.customer.email, EMAIL),
        names.language: order.language[:2].lower(),
    }
    entity = settings.business_entities.get(order.store)
    if entity:
        values[names.business_entity] = entity
    if settings.payment_methods:
        values[names.payment_methods] = list(settings.payment_methods)
    urls = return_urls(task, settings)
    if urls:
        values[names.redirect_urls] = urls
    if settings.send_order_data:
        values[names.custom_fields] = {names.order_data: order_data(order)}
    return {name: value for name, value in values.items() if name}


def return_urls(task: EnsureEntry, settings: JustOnSettings) -> dict[str, str]:
    """The checkout's own return address for every outcome, else the configured ones. A return proves nothing."""
    names, urls, order = settings.wire, settings.return_urls, task.order
    if task.return_url:
        outcomes = {names.success: "success", names.failure: "failure", names.cancel: "cancel"}
        mark = "&" if "?" in task.return_url else "?"
        return {name: f"{task.return_url}{mark}outcome={outcome}" for name, outcome in outcomes.items()}
    chosen = {names.success: urls.success, names.failure: urls.failure, names.cancel: urls.cancel}
    fill = {"store": percent(order.store, safe=""), "number": percent(order.number, safe="")}
    return {name: url.format(**fill) for name, url in chosen.items() if url}


def order_data(order: Order) -> str:
    """The order as JSON text; without its lines where it would not fit, saying so."""
    data = content(order)
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    if measure(text, ORDER_DATA.unit) > ORDER_DATA.size:
        data["lines_left_out"] = len(data.pop("lines"))
        text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    return require(text, ORDER_DATA)


# ---- theirs to ours --------------------------------------------------------------------------------------------------


def relation(field: str) -> str:
    """The name under which a lookup's record is read: `X__c` becomes `X__r`."""
    return field[:-1] + "r" if field.endswith("__c") else field.removesuffix("Id")


def same_record(left: str, right: str) -> bool:
    """Ids of 15 and of 18 characters name the same record when the first 15 agree."""
    return len(left) >= 15 and left[:15] == right[:15]


def money(row: Mapping[str, Any], field: str, currency: str, *, empty: int | None = None) -> Money:
    """An amount of a record. `empty` are the minor units that an empty field means; None: it must not be empty."""
    value = row.get(field)
    if value is None and empty is not None:
        return Money(minor=empty, currency=currency)
    if not isinstance(value, Decimal):
        raise Unexpected(f"{field} is {value!r}, not an amount")
    try:
        return exact(value, currency)
    except ValueError as err:
        raise Unexpected(f"{field}: {err}") from err


def currency_of(row: Mapping[str, Any], single: str) -> str:
    """The record's currency; `single` is the one of an org without multiple currencies."""
    code = single or row.get("CurrencyIsoCode")
    if not isinstance(code, str):
        raise Unexpected("CurrencyIsoCode is empty: set single_currency for an org without multiple currencies")
    try:
        decimals_of(code)
    except ValueError as err:
        raise Unexpected(str(err)) from err
    return code


def moment(text: Any) -> datetime:
    """`2026-11-21T10:15:30.000+0000` as an aware time."""
    try:
        at = datetime.fromisoformat(str(text))
    except ValueError as err:
        raise Unexpected(f"{text!r} is not a time") from err
    if at.tzinfo is None:
        raise Unexpected(f"{text!r} is a time without a zone")
    return at


def entry_record(
    row: Mapping[str, Any],
    items: Iterable[Mapping[str, Any]],
    failures: Counter[str],
    shared: Iterable[str],
    fields: CashFields,
    single_currency: str = "",
) -> EntryRecord:
    """An entry from its record, its items with their payments, the number of failed captures by payment id, and the
    ids of payments that pay other entries as well. Raises Unexpected for an unknown status.
    """
    currency = currency_of(row, single_currency)
    status = ENTRY_STATUSES.get(str(row.get(fields.entry_status)))
    if status is None:
        raise Unexpected(
            f"{fields.entry_status} is {row.get(fields.entry_status)!r}: {', '.join(ENTRY_STATUSES)} known"
        )
    elsewhere = set(shared)
    collected: list[Collected] = []
    refunded: list[Collected] = []
    failed = pending = 0
    stamps = [moment(row.get("SystemModstamp"))]
    payments: dict[str, Mapping[str, Any]] = {}
    assigned: Counter[str] = Counter()
    for item in items:
        payment_id = item.get(fields.item_payment)
        if not payment_id:
            continue
        payments[payment_id] = item.get(relation(fields.item_payment)) or {}
        assigned[payment_id] += money(item, fields.item_assigned, currency, empty=0).minor
    for payment_id, payment in sorted(payments.items()):
        stamps.append(moment(payment.get("SystemModstamp")))
        value = str(payment.get(fields.payment_status))
        failed += failures[payment_id]
        if value in fields.failed_values:
            failed += 0 if failures[payment_id] else 1
        elif value in fields.pending_values:
            # A payment returns to Pending after a failed capture: it is under way only until then.
            pending += 0 if failures[payment_id] else 1
        elif value in fields.collected_values + fields.refunded_values:
            whole = money(payment, fields.payment_collected, currency, empty=assigned[payment_id])
            # What a payment of this entry alone brought beyond the entry's amount is the buyer's money as well.
            share = Money(minor=assigned[payment_id], currency=currency) if payment_id in elsewhere else whole
            one = _collected(payment_id, payment, share, fields)
            (collected if value in fields.collected_values else refunded).append(one)
        elif value not in fields.charged_back_values:
            raise Unexpected(f"payment {payment_id} has the unknown status {value!r}")
    state = EntryState(
        entry_id=str(row["Id"]),
        key=str(row.get(fields.entry_key) or ""),
        status=status,
        amount=money(row, fields.entry_amount, currency),
        assigned=money(row, fields.entry_assigned, currency, empty=0),
        collected=tuple(collected),
        failed_attempts=failed,
        pending_attempts=pending,
    )
    invoice = str(row.get(fields.entry_invoice) or "") if fields.entry_invoice else ""
    link = str(row.get(fields.entry_link) or "") if fields.entry_link else ""
    return EntryRecord(state, invoice, tuple(refunded), tuple(sorted(payments)), max(stamps), link)


def _collected(payment_id: str, payment: Mapping[str, Any], amount: Money, fields: CashFields) -> Collected:
    def text(field: str) -> str:
        return str(payment.get(field) or "") if field else ""

    at = payment.get(fields.payment_date) if fields.payment_date else None
    return Collected(
        id=payment_id,
        amount=amount,
        # A payment by bank transfer has no provider behind it: JustOn's own id keeps it traceable.
        transaction_id=text(fields.payment_transaction) or payment_id,
        method=text(fields.payment_method),
        provider=text(fields.payment_provider),
        collected_at=moment(at) if at else None,
    )


def entry_differences(state: EntryState, task: EnsureEntry) -> list[str]:
    """Where an entry is not the one that is asked for, with both values."""
    found = []
    if state.amount != task.amount:
        found.append(f"its amount is {state.amount}, the order asks for {task.amount}")
    return found
