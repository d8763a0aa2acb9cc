"""Payment links and the entries behind them. The service answers at once and writes into the org a little later."""

import secrets
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from sandbox.juston.forms import EntryLink, Refusal
from sandbox.kernel.store import Doc, Store
from sandbox.kernel.world import World
from sandbox.salesforce.errors import SalesforceError
from sandbox.salesforce.org import Org
from sandbox.salesforce.packages.cash import announce
from sandbox.salesforce.packages.cash_objects import ENTITY, ENTRY
from sandbox.salesforce.packages.cash_settings import PROMISED, current
from sandbox.salesforce.values import stamp

VENDOR = "juston"
REVEAL_JOB = "reveal"


def links(store: Store) -> Any:
    return store.table("juston.links")


def promised(store: Store) -> Any:
    """Entries that are promised but not yet written into the org, by id."""
    return store.table(PROMISED)


def create(world: World, org: Org, form: EntryLink, tenant: str, base: str) -> Doc:
    """Make an entry and its link. Raises Refusal for a key that is taken, also by an entry nobody can see yet."""
    settings = current(world.store)
    link_id = secrets.token_urlsafe(24)
    url = f"{base.rstrip('/')}/pay/{link_id}/to/{tenant}"
    values = {
        **form.custom,
        "JPAY1__Title__c": form.title,
        "JPAY1__PaymentReference__c": form.reference,
        "JPAY1__Amount__c": form.amount,
        "JPAY1__AssignmentKey__c": form.key,
        "JPAY1__Date__c": form.day or org.today(),
        "JPAY1__DueDate__c": form.due,
        "JPAY1__BusinessEntity__c": _business_entity(org, form.business_entity),
        "JPAY1__Email__c": form.email,
        "JPAY1__Language__c": form.language,
        "JPAY1__PaymentLink__c": url,
        "CurrencyIsoCode": form.currency,
    }
    try:
        entry_id = org.create(ENTRY, values, system=True)
    except SalesforceError as err:
        if err.code == "DUPLICATE_VALUE":
            raise Refusal(409, "duplicate_assignment_key", err.message) from err
        raise Refusal(400, "validation_error", err.message) from err
    lifetime = timedelta(minutes=settings.link_lifetime_minutes)
    link = {
        "id": link_id,
        "tenant": tenant,
        "entry": entry_id,
        "key": form.key,
        "url": url,
        "redirects": form.redirects,
        "language": form.language,
        "expires": (world.now() + timedelta(seconds=world.scaled(lifetime))).isoformat() if lifetime else None,
        "capturing": None,
    }
    links(world.store).put(link_id, link)
    _hide(org, entry_id)
    if settings.entry_delay_ms:
        world.schedule(VENDOR, REVEAL_JOB, settings.entry_delay_ms / 1000, {"entry": entry_id})
    else:
        reveal(org, entry_id)
    return link


def _hide(org: Org, entry_id: str) -> None:
    table = org.table(ENTRY)
    row = table.get(entry_id)
    key = str(row["JPAY1__AssignmentKey__c"]).lower() if row else ""
    promised(org.store).put(entry_id, {"id": entry_id, "key": key, "row": row})
    table.delete(entry_id)


def reveal(org: Org, entry_id: str) -> None:
    """Write a promised entry into the org; the time of writing is the time that the org knows."""
    kept = promised(org.store).get(entry_id)
    if kept is None:
        return
    now = stamp(org.now())
    written = kept["row"] | {"CreatedDate": now, "LastModifiedDate": now, "SystemModstamp": now}
    promised(org.store).delete(entry_id)
    org.table(ENTRY).put(entry_id, written)
    announce(org, ENTRY, entry_id, written.get("JPAY1__AssignmentKey__c"), "created")


def entry_of(org: Org, link: Doc) -> Doc | None:
    """The link's entry, visible or not; None when somebody deleted it."""
    kept = promised(org.store).get(link["entry"])
    if kept is not None:
        return org.row(org.schema(ENTRY), kept["row"])
    return org.get(ENTRY, link["entry"])


def expired(link: Doc, now: datetime) -> bool:
    return link["expires"] is not None and datetime.fromisoformat(link["expires"]) <= now


def change(store: Store, link: Doc, **values: Any) -> None:
    links(store).put(link["id"], link | values)


def open_amount(entry: Doc) -> Decimal:
    return Decimal(entry["JPAY1__OpenAmount__c"])


def _business_entity(org: Org, name: str | None) -> str | None:
    if name is None:
        return None
    found = [row for row in org.find(ENTITY, "Name", name) if row["JPAY1__Active__c"]]
    if not found:
        raise Refusal(400, "validation_error", f"businessEntity: there is no active business entity {name!r}")
    return str(found[0]["Id"])
