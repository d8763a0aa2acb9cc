"""Finds what a document refers to: currencies, items, bank accounts, warehouses, companies. Each must be there once."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from activities.financialforce.settings import FinancialForceSettings
from activities.salesforce.client import SalesforceClient
from activities.salesforce.soql import chunks, in_list, quote
from commerce.failures import Family, SystemFailure
from commerce.text import DoesNotFit

ITEM = "SCMC__Item__c"


class Records:
    """Look-ups in one org. Raises SystemFailure; NEEDS_PERSON where a record is missing or there are several."""

    def __init__(self, settings: FinancialForceSettings, client: SalesforceClient, *, system: str) -> None:
        self._settings = settings
        self._client = client
        self._system = system

    async def items(self, skus: Iterable[str], *, tried: str, order_key: str = "") -> dict[str, str]:
        """Ids of the active items by SKU, letter for letter (SOQL ignores case), without unknown and closed ones."""
        wanted = set(skus)
        found: dict[str, list[str]] = {}
        for portion in chunks(sorted(wanted)):
            soql = f"SELECT Id, Name FROM {ITEM} WHERE Name IN {in_list(portion)} AND SCMC__Active_Status__c = true"
            for row in await self._client.query(soql, tried=tried, order_key=order_key):
                if row["Name"] in wanted:
                    found.setdefault(row["Name"], []).append(row["Id"])
        for sku, ids in found.items():
            if len(ids) > 1:
                raise self.parks(
                    tried, f"{len(ids)} active items are named {sku}: {', '.join(ids)}", "leave one of them active"
                )
        return {sku: ids[0] for sku, ids in found.items()}

    async def trade_currency(self, code: str, *, tried: str) -> str:
        """Id of the currency of sales orders."""
        condition = f"Name = {quote(code)} AND SCMC__Active__c = true"
        return await self._only("SCMC__Currency_Master__c", condition, f"active currency {code}", tried)

    async def accounting_currency(self, code: str, *, tried: str) -> str:
        """Id of the currency of cash entries, in the company that books."""
        condition = f"Name = {quote(code)}" + self._in_company()
        return await self._only("c2g__codaAccountingCurrency__c", condition, f"accounting currency {code}", tried)

    async def bank_account(self, code: str, *, tried: str) -> str:
        """Id of the bank account that the settings name for a currency."""
        name = self._settings.bank_accounts.get(code)
        if name is None:
            raise self.parks(tried, f"no bank account is set for {code}", f"name one in bank_accounts for {code}")
        condition = f"Name = {quote(name)}" + self._in_company()
        return await self._only("c2g__codaBankAccount__c", condition, f"bank account {name}", tried)

    async def warehouse(self, store: str, *, tried: str) -> str | None:
        """Id of the warehouse that the settings name for a store; None when they name none."""
        name = self._settings.warehouses.get(store)
        if name is None:
            return None
        return await self._only("SCMC__Warehouse__c", f"Name = {quote(name)}", f"warehouse {name}", tried)

    async def company(self, *, tried: str) -> str | None:
        """Id of the accounting company in the settings; None when they leave it to the user's own."""
        name = self._settings.company
        if not name:
            return None
        return await self._only("c2g__codaCompany__c", f"Name = {quote(name)}", f"company {name}", tried)

    @contextmanager
    def fitting(self, tried: str) -> Iterator[None]:
        """A value without room in its field becomes a refusal that names this system and what was tried."""
        try:
            yield
        except DoesNotFit as err:
            raise SystemFailure(
                Family.REJECTED,
                tried,
                str(err),
                system=self._system,
                do_next="correct the value and decide 'correct'",
            ) from err

    def parks(self, tried: str, came_back: str, do_next: str, *, code: str = "") -> SystemFailure:
        """A case for a person."""
        return SystemFailure(
            Family.NEEDS_PERSON,
            tried,
            came_back,
            system=self._system,
            code=code,
            do_next=f"{do_next}, then decide 'retry'",
        )

    def _in_company(self) -> str:
        name = self._settings.company
        return f" AND c2g__OwnerCompany__r.Name = {quote(name)}" if name else ""

    async def _only(self, sobject: str, condition: str, what: str, tried: str) -> str:
        rows: list[dict[str, Any]] = await self._client.query(
            f"SELECT Id FROM {sobject} WHERE {condition} LIMIT 2", tried=tried
        )
        if not rows:
            raise self.parks(tried, f"the org has no {what}", f"create {what} or correct the setting")
        if len(rows) > 1:
            raise self.parks(tried, f"the org has more than one {what}", "name the company in the settings")
        return str(rows[0]["Id"])
