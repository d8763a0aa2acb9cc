"""Does the org carry what the settings name? Asked at start, so that a missing field is not found by an order."""

from typing import Any, NamedTuple

from activities.financialforce import limits
from activities.financialforce.mapping import CASH_ENTRY, CASH_LINE, ORDER, ORDER_LINE, TRANSFER, TRANSFER_LINE
from activities.financialforce.records import Records
from activities.financialforce.settings import FinancialForceSettings
from activities.salesforce.client import SalesforceClient
from commerce.failures import Family, SystemFailure


class Needed(NamedTuple):
    """A field that must be there: `length` is the least room, `key` asks for an external id."""

    sobject: str
    field: str
    length: int = 0
    key: bool = False
    unique: bool = False


def needed(settings: FinancialForceSettings) -> tuple[Needed, ...]:
    names = settings.fields
    size = limits.EXTERNAL_ID_CHARACTERS
    transfers = (
        Needed(TRANSFER, names.transfer_key, 255, key=True, unique=True),
        Needed(TRANSFER, names.transfer_order, 129),
        Needed(TRANSFER, names.transfer_reason, limits.TRANSFER_REASON.size),
        Needed(TRANSFER_LINE, names.transfer_line_key, 255, key=True, unique=True),
    )
    return (
        Needed("Account", names.customer_key, 64, key=True, unique=True),
        Needed(ORDER, names.order_key, 129, key=True, unique=True),
        Needed(ORDER, names.order_data, limits.ORDER_DATA.size),
        Needed(ORDER_LINE, names.line_key, 194, key=True, unique=True),
        Needed(ORDER_LINE, names.line_title, limits.LINE_TITLE.size),
        Needed(ORDER_LINE, names.ordered_quantity),
        Needed(ORDER_LINE, names.cancellations, limits.CANCELLATIONS.size),
        Needed(CASH_ENTRY, "c2g__ExternalId__c", size, key=True, unique=True),
        Needed(CASH_LINE, "c2g__ExternalId__c", size, key=True, unique=True),
        Needed(CASH_ENTRY, "c2g__Reference__c", limits.CASH_REFERENCE.size),
        Needed(CASH_ENTRY, "c2g__TriggerPosting__c"),
        *(transfers if settings.fulfillment.transfers else ()),
    )


async def problems_of(settings: FinancialForceSettings, client: SalesforceClient, records: Records) -> list[str]:
    """One line for each thing that is missing, with object, field and remedy. Raises SystemFailure if it cannot ask."""
    problems: list[str] = []
    wanted = needed(settings)
    for sobject in dict.fromkeys(need.sobject for need in wanted):
        try:
            fields = {field["name"]: field for field in (await client.describe(sobject))["fields"]}
        except SystemFailure as failure:
            if failure.code not in ("NOT_FOUND", "INVALID_TYPE"):
                raise
            problems.append(f"{sobject}: the org has no such object, or hides it: install the package and give access")
            continue
        for need in wanted:
            if need.sobject == sobject:
                problems += _field_problems(need, fields.get(need.field))
    problems += await _record_problems(settings, records)
    return problems


def _field_problems(need: Needed, field: dict[str, Any] | None) -> list[str]:
    at = f"{need.sobject}.{need.field}"
    if field is None:
        return [f"{at}: the field is missing: create it as docs/salesforce-org.md says, or name yours in the settings"]
    found: list[str] = []
    if need.key and field.get("externalId") is not True:
        found.append(f"{at}: it is not an external id: tick External ID in the field's definition")
    if need.unique and field.get("unique") is not True:
        found.append(f"{at}: it is not unique: tick Unique in the field's definition")
    if need.length and (field.get("length") or 0) < need.length:
        found.append(f"{at}: it takes {field.get('length')} characters: lengthen it to at least {need.length}")
    return found


async def _record_problems(settings: FinancialForceSettings, records: Records) -> list[str]:
    found: list[str] = []
    tried = "check the org's set-up"
    charges = settings.charge_items.model_dump()
    ids = await records.items(charges.values(), tried=tried)
    found += [
        f"SCMC__Item__c {sku}: there is no such active item: create it, or name another in charge_items.{name}"
        for name, sku in charges.items()
        if sku not in ids
    ]
    for code in settings.bank_accounts:
        for look in (records.bank_account, records.accounting_currency, records.trade_currency):
            try:
                await look(code, tried=tried)
            except SystemFailure as failure:
                if failure.family is not Family.NEEDS_PERSON:
                    raise
                found.append(f"{failure.came_back}: {failure.do_next}")
    return found
