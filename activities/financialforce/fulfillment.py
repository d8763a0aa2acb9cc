"""FinancialForce in the ERP's role for goods on their way: one reading in one call, cancelling, transfers."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from decimal import Decimal

from temporalio import activity

from activities.financialforce import limits
from activities.financialforce.goods import (
    Puzzling,
    Row,
    Rows,
    UnknownValue,
    fulfillment_of,
    line_id,
    queries,
    rows_of,
)
from activities.financialforce.mapping import ORDER_LINE, number
from activities.financialforce.records import Records
from activities.financialforce.settings import FinancialForceSettings
from activities.financialforce.transfers import TransferBook
from activities.fulfillment import CancelLines, ErpFulfillment, LookAtFulfillment, RequestTransfer
from activities.salesforce.client import SalesforceClient, Sub
from activities.steps import step
from commerce.documents import Document, DocumentKind, Undone
from commerce.failures import Family, SystemFailure
from commerce.fulfillment import Fulfillment, Transfer, problems
from commerce.text import require

CANCELLED = "Cancelled"
# The queries of one call follow each other, and a shipment may be written between two of them.
MOST_LOOKS = 3


class FinancialForceFulfillment(ErpFulfillment):
    """Goods of one FinancialForce company. `system` is its name in the configuration."""

    def __init__(self, settings: FinancialForceSettings, *, system: str, client: SalesforceClient) -> None:
        self._settings = settings
        self._system = system
        self._client = client
        self._records = Records(settings, client, system=system)
        self._transfers = TransferBook(settings, client, self._records, system=system)

    @activity.defn(name="erp.look_at_fulfillment")
    @step
    async def look_at_fulfillment(self, task: LookAtFulfillment) -> Fulfillment:
        tried = f"look at the goods of order {task.order_key}"
        _, reading = await self._look(task.order_key, tried)
        if reading is None:
            raise self._records.parks(
                tried,
                f"no sales order with lines carries {task.order_key} in {self._settings.fields.order_key}",
                "put the key back on the order, or book it again",
            )
        return reading

    @activity.defn(name="erp.cancel_lines")
    @step
    async def cancel_lines(self, task: CancelLines) -> Undone:
        tried = f"cancel open quantities of order {task.order_key}"
        rows, reading = await self._look(task.order_key, tried)
        said = ", ".join(f"{quantity} of line {line}" for line, quantity in sorted(task.quantities.items()))
        if reading is None or not task.quantities:
            return Undone(what=f"{said or 'nothing'} of order {task.order_key}", done=False)
        what = f"{said} of sales order {reading.number}"
        known = self._cancelled_before(rows, task, tried)
        if not known.items() <= task.quantities.items():
            before = ", ".join(f"{quantity} of line {line}" for line, quantity in sorted(known.items()))
            raise self._records.parks(
                tried,
                f"under the key {task.key} {before} were cancelled, not {said}",
                f"compare the lines of {reading.number}",
            )
        rest = {line: quantity for line, quantity in task.quantities.items() if line not in known}
        quantities = self._to_cancel(reading, rest, tried)
        if quantities:
            with self._records.fitting(tried):
                parts = self._parts(rows, quantities, task)
            await self._client.graph("cancel", parts, tried=tried, order_key=task.order_key)
            rows, _ = await self._look(task.order_key, tried)
            if not quantities.items() <= self._cancelled_before(rows, task, tried).items():
                raise SystemFailure(
                    Family.OUTCOME_UNKNOWN,
                    tried,
                    "the org took the cancellation and does not show it yet",
                    system=self._system,
                    do_next="nothing: it is looked at again by itself",
                )
        document = Document(
            kind=DocumentKind.CANCELLATION,
            system=self._system,
            id=reading.id,
            number=reading.number,
            key=task.key,
            adopted=not quantities,
        )
        return Undone(what=what, done=True, document=document)

    @activity.defn(name="erp.request_transfer")
    @step
    async def request_transfer(self, task: RequestTransfer) -> Transfer:
        tried = f"request transfer {task.key} for order {task.order_key}"
        with self._records.fitting(tried), self._explained(tried):
            return await self._transfers.ensure(task, tried)

    async def _look(self, order_key: str, tried: str) -> tuple[Rows, Fulfillment | None]:
        """The order's rows and their reading; None where there is no order."""
        asked = queries([order_key], self._settings)
        for _ in range(MOST_LOOKS):
            found = await self._client.query_many(asked, tried=tried, order_key=order_key)
            rows = rows_of(order_key, found, self._settings.fields)
            if not rows.lines:
                return rows, None
            with self._explained(tried):
                reading = fulfillment_of(order_key, rows, self._settings)
            if not problems(None, reading):
                break
        return rows, reading

    @contextmanager
    def _explained(self, tried: str) -> Iterator[None]:
        """What no mapping knows waits for a person, who is told which setting explains it."""
        try:
            yield
        except UnknownValue as err:
            raise self._records.parks(
                tried,
                str(err),
                f"say what {err.value!r} means in systems.{self._system}.fulfillment.{err.setting}, "
                "restart the workers",
            ) from err
        except Puzzling as err:
            raise self._records.parks(tried, str(err), err.do_next) from err

    def _cancelled_before(self, rows: Rows, task: CancelLines, tried: str) -> dict[str, Decimal]:
        """What was cancelled under this key, by line."""
        names = self._settings.fields
        found: dict[str, Decimal] = {}
        with self._explained(tried):
            for row in rows.lines:
                quantity = noted(row, names.cancellations).get(task.key)
                if quantity is not None:
                    found[line_id(row, task.order_key, names)] = quantity
        return found

    def _to_cancel(self, reading: Fulfillment, wanted: Mapping[str, Decimal], tried: str) -> dict[str, Decimal]:
        """What is to be written. Empty where all of it was cancelled by somebody already."""
        lines = {line.line: line for line in reading.lines}
        wrong: list[str] = []
        quantities: dict[str, Decimal] = {}
        for id_, asked in wanted.items():
            line = lines.get(id_)
            if line is None:
                wrong.append(f"line {id_} is no line of it")
            elif asked <= line.cancelled and not line.undelivered:
                continue
            elif asked > line.undelivered:
                wrong.append(f"{line.undelivered} of line {id_} ({line.sku}) are open, {line.shipped} have left")
            elif asked > line.undelivered - line.picked:
                wrong.append(f"{line.picked} of line {id_} ({line.sku}) are picked")
            else:
                quantities[id_] = asked
        if wrong:
            raise self._records.parks(
                tried,
                f"sales order {reading.number}: {'; '.join(wrong)}",
                "take picked goods off their pick list; take goods that have left back as a return",
            )
        if quantities and (reading.closed or reading.cancelled):
            state = "closed" if reading.closed else "cancelled"
            raise self._records.parks(tried, f"sales order {reading.number} is {state}", "look at the order's lines")
        return quantities

    def _parts(self, rows: Rows, quantities: Mapping[str, Decimal], task: CancelLines) -> list[Sub]:
        """One update for each line, all or nothing. The values are whole, so that a repeat changes nothing."""
        names = self._settings.fields
        parts: list[Sub] = []
        for row in rows.lines:
            asked = quantities.get(line_id(row, task.order_key, names))
            if asked is None:
                continue
            quantity = number(row["SCMC__Quantity__c"])
            notes = noted(row, names.cancellations) | {task.key: asked}
            text = "\n".join(f"{key} {noted_quantity:f}" for key, noted_quantity in notes.items())
            body: dict[str, object] = {names.cancellations: require(text, limits.CANCELLATIONS)}
            if row[names.ordered_quantity] is None:
                body[names.ordered_quantity] = quantity
            # A line must keep some quantity: one that goes altogether is cancelled as a line.
            body |= {"SCMC__Status__c": CANCELLED} if asked == quantity else {"SCMC__Quantity__c": quantity - asked}
            parts.append(Sub("PATCH", f"/sobjects/{ORDER_LINE}/{row['Id']}", f"line{len(parts)}", body))
        return parts


def noted(row: Row, field: str) -> dict[str, Decimal]:
    """The cancellations of a line by key: one `{key} {quantity}` on each line of the text."""
    found: dict[str, Decimal] = {}
    for text in str(row[field] or "").splitlines():
        key, _, quantity = text.rpartition(" ")
        try:
            found[key] = Decimal(quantity)
        except ArithmeticError:
            raise Puzzling(f"{field} of line {row['Name']} says {text!r}", f"correct {field}") from None
    return found
