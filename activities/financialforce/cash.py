"""Cash entries: one posted receipt or refund for each payment, found again by an external id made from its key."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal, NamedTuple

from activities.financialforce import limits
from activities.financialforce.mapping import CASH_ENTRY, CASH_LINE, external_id, local_date, number
from activities.financialforce.records import Records
from activities.financialforce.settings import FinancialForceSettings
from activities.salesforce.client import SalesforceClient, Sub
from activities.salesforce.soql import quote
from commerce.documents import Document, DocumentKind
from commerce.failures import Family, SystemFailure
from commerce.payment import Collected
from commerce.text import require, shorten

KEY_FIELD = "c2g__ExternalId__c"
# The org posts with a job of its own; looking again sooner finds nothing new.
POSTING_SECONDS = 20
_SHOWN = (
    "Id, Name, c2g__Type__c, c2g__Value__c, c2g__Status__c, c2g__Reference__c, c2g__Account__c, "
    "c2g__CashEntryCurrency__r.Name, c2g__TriggerPosting__c, c2g__TriggerPostingError__c"
)


class Cash(NamedTuple):
    """Money to book. `key` is unique for the movement; `type` is the cash entry's."""

    type: Literal["Receipt", "Refund"]
    key: str
    order_key: str
    order_number: str
    customer_id: str
    payment: Collected
    at: datetime

    @property
    def tried(self) -> str:
        return f"book {self.type.lower()} of {self.payment.amount} for order {self.order_key}"


class CashBook:
    """Writes cash entries of one org. Raises SystemFailure and DoesNotFit."""

    def __init__(
        self, settings: FinancialForceSettings, client: SalesforceClient, records: Records, *, system: str
    ) -> None:
        self._settings = settings
        self._client = client
        self._records = records
        self._system = system

    async def ensure(self, cash: Cash) -> Document:
        """The posted entry: found by its key, or created with its line and posted in one all-or-nothing call."""
        found = await self._find(cash)
        adopted = found is not None
        if found is None:
            try:
                await self._create(cash)
            except SystemFailure as failure:
                if failure.family is not Family.ALREADY_DONE:
                    raise
                found = await self._find(cash)
                if found is None:
                    raise self._parks(cash, failure.came_back, failure.do_next) from failure
                adopted = True
            else:
                found = await self._find(cash)
                if found is None:
                    raise self._vanished(cash)
        self._compare(cash, found)
        if adopted and found["c2g__Status__c"] == "In Progress" and not self._is_being_posted(found):
            await self._post(cash, found)
            found = await self._find(cash)
            if found is None:
                raise self._vanished(cash)
        self._posted(cash, found)
        return Document(
            kind=DocumentKind.RECEIPT if cash.type == "Receipt" else DocumentKind.REFUND,
            system=self._system,
            id=found["Id"],
            number=found["Name"],
            key=cash.key,
            amount=cash.payment.amount,
            status=found["c2g__Status__c"],
            adopted=adopted,
        )

    async def _find(self, cash: Cash) -> dict[str, Any] | None:
        soql = f"SELECT {_SHOWN} FROM {CASH_ENTRY} WHERE {KEY_FIELD} = {quote(external_id(cash.key))}"
        rows = await self._client.query(soql, tried=cash.tried, order_key=cash.order_key)
        if len(rows) > 1:
            names = ", ".join(str(row["Name"]) for row in rows)
            raise self._parks(cash, f"several cash entries carry its key: {names}", "leave the key on one of them")
        return rows[0] if rows else None

    async def _create(self, cash: Cash) -> None:
        currency = cash.payment.amount.currency
        header: dict[str, Any] = {
            "c2g__Type__c": cash.type,
            "c2g__Date__c": local_date(cash.at, self._settings.time_zone),
            "c2g__Account__c": cash.customer_id,
            "c2g__BankAccount__c": await self._records.bank_account(currency, tried=cash.tried),
            "c2g__DeriveBankAccount__c": False,
            "c2g__CashEntryCurrency__c": await self._records.accounting_currency(currency, tried=cash.tried),
            "c2g__DeriveCurrency__c": False,
            "c2g__PaymentMethod__c": "Electronic",
            "c2g__Reference__c": require(cash.payment.transaction_id, limits.CASH_REFERENCE),
            "c2g__Description__c": shorten(f"{cash.order_key} {cash.payment.method}".strip(), limits.CASH_DESCRIPTION),
            "c2g__Value__c": limits.CASH_VALUE.require(cash.payment.amount.decimal()),
        }
        company = await self._records.company(tried=cash.tried)
        if company is not None:
            header["c2g__OwnerCompany__c"] = company
        if self._settings.multi_currency:
            header["CurrencyIsoCode"] = currency
        parts = [
            Sub("PATCH", f"/sobjects/{CASH_ENTRY}/{KEY_FIELD}/{external_id(cash.key)}", "entry", header),
            self._line(cash, "@{entry.id}"),
            self._trigger("@{entry.id}"),
        ]
        await self._client.composite(parts, all_or_none=True, tried=cash.tried, order_key=cash.order_key)

    async def _post(self, cash: Cash, found: Mapping[str, Any]) -> None:
        """Finish an entry of ours that stands unposted; its line is added where it is missing."""
        line_key = quote(external_id(cash.key, "line"))
        soql = f"SELECT Id FROM {CASH_LINE} WHERE {KEY_FIELD} = {line_key}"
        lines = await self._client.query(soql, tried=cash.tried, order_key=cash.order_key)
        parts = [] if lines else [self._line(cash, found["Id"])]
        parts.append(self._trigger(found["Id"]))
        await self._client.composite(parts, all_or_none=True, tried=cash.tried, order_key=cash.order_key)

    def _line(self, cash: Cash, entry_id: str) -> Sub:
        body: dict[str, Any] = {
            "c2g__CashEntry__c": entry_id,
            "c2g__Account__c": cash.customer_id,
            "c2g__CashEntryValue__c": limits.CASH_VALUE.require(cash.payment.amount.decimal()),
            "c2g__AccountReference__c": require(cash.order_number, limits.CASH_ACCOUNT_REFERENCE),
        }
        if self._settings.multi_currency:
            body["CurrencyIsoCode"] = cash.payment.amount.currency
        return Sub("PATCH", f"/sobjects/{CASH_LINE}/{KEY_FIELD}/{external_id(cash.key, 'line')}", "line", body)

    def _trigger(self, entry_id: str) -> Sub:
        return Sub(
            "PATCH",
            f"/sobjects/{CASH_ENTRY}/{entry_id}",
            "posting",
            {"c2g__TriggerPosting__c": self._settings.posting},
        )

    def _is_being_posted(self, found: Mapping[str, Any]) -> bool:
        """The org's own job has it: asked for, not done, no error yet."""
        return found["c2g__TriggerPosting__c"] == "Asynchronous" and not found["c2g__TriggerPostingError__c"]

    def _compare(self, cash: Cash, found: Mapping[str, Any]) -> None:
        amount = cash.payment.amount
        theirs = (found["c2g__CashEntryCurrency__r"] or {}).get("Name")
        differences: list[str] = []
        if found["c2g__Type__c"] != cash.type:
            differences.append(f"type: the books have {found['c2g__Type__c']}, it should be {cash.type}")
        if number(found["c2g__Value__c"]) != amount.decimal() or theirs != amount.currency:
            value = f"{number(found['c2g__Value__c']):.{limits.CASH_VALUE.decimals}f}"
            differences.append(f"amount: the books have {value} {theirs}, it should be {amount}")
        if found["c2g__Account__c"] != cash.customer_id:
            differences.append(f"customer: the books have {found['c2g__Account__c']}, it should be {cash.customer_id}")
        if found["c2g__Reference__c"] != cash.payment.transaction_id:
            differences.append(
                f"reference: the books have {found['c2g__Reference__c']}, it should be {cash.payment.transaction_id}"
            )
        if differences:
            raise self._parks(
                cash,
                f"cash entry {found['Name']} carries its key and differs: {'; '.join(differences)}",
                f"correct or discard {found['Name']}",
            )

    def _posted(self, cash: Cash, found: Mapping[str, Any]) -> None:
        status, error = found["c2g__Status__c"], found["c2g__TriggerPostingError__c"]
        if status == "Complete":
            return
        if status == "In Progress" and error:
            raise self._parks(
                cash, f"cash entry {found['Name']} was not posted: {error}", "clear the reason in FinancialForce"
            )
        if status == "In Progress" and self._is_being_posted(found):
            raise SystemFailure(
                Family.TRANSIENT,
                cash.tried,
                f"cash entry {found['Name']} waits for the org's posting job",
                system=self._system,
                retry_after=POSTING_SECONDS,
                do_next="nothing: it is looked at again by itself",
            )
        raise self._parks(
            cash,
            f"cash entry {found['Name']} has status {status} and is not posted",
            "look at it in FinancialForce; posting by field may be switched off",
        )

    def _vanished(self, cash: Cash) -> SystemFailure:
        return SystemFailure(
            Family.OUTCOME_UNKNOWN,
            cash.tried,
            "the org took the cash entry and does not show it yet",
            system=self._system,
            do_next="nothing: it is looked at again by itself",
        )

    def _parks(self, cash: Cash, came_back: str, do_next: str) -> SystemFailure:
        return self._records.parks(cash.tried, came_back, do_next)
