"""Which code serves which kind of system: the one place, beside the configuration, that knows."""

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from activities.carrier.activities import CarrierActivities, CarrierListener, CarrierParcels
from activities.carrier.client import CarrierClient
from activities.carrier.settings import CarrierSettings
from activities.changes import Listener, Push, Source
from activities.financialforce.activities import FinancialForce
from activities.financialforce.feed import FinancialForceGoods, FinancialForceNotifications
from activities.financialforce.fulfillment import FinancialForceFulfillment
from activities.financialforce.push import FinancialForcePush
from activities.financialforce.settings import FinancialForceSettings
from activities.financialforce.statements import FinancialForceStatements
from activities.juston.activities import JustOnBilling, JustOnPayments
from activities.juston.feed import JustOnEntries, JustOnInvoices
from activities.juston.hosted import HostedClient
from activities.juston.notifications import JustOnNotifications
from activities.juston.settings import JustOnSettings
from activities.juston.statements import JustOnStatements
from activities.ledger.fulfillment import FulfillmentBook
from activities.ledger.store import Ledger
from activities.magento.activities import MagentoActivities
from activities.magento.client import MagentoClient
from activities.magento.feed import MagentoOrders
from activities.magento.notes import MagentoNotes
from activities.magento.notifications import MagentoListener
from activities.magento.settings import MagentoSettings
from activities.magento.shipping import MagentoShipping
from activities.magento.statements import MagentoStatements
from activities.reconcile import Reader
from activities.salesforce.client import SalesforceClient
from commerce.failures import Family, SystemFailure
from settings.model import Settings, records_endpoint

log = logging.getLogger("holdfast.settings")


@dataclass
class Connected:
    """The systems of one worker: activities and probes by endpoint, and every change source.

    Most systems are one endpoint of the same name; `system_of` names the system of those that are not.
    """

    activities: dict[str, list[Callable[..., Any]]] = field(default_factory=dict)
    probes: dict[str, Callable[[], Awaitable[None]]] = field(default_factory=dict)
    setup_checks: dict[str, Callable[[], Awaitable[list[str]]]] = field(default_factory=dict)
    system_of: dict[str, str] = field(default_factory=dict)
    sources: list[Source] = field(default_factory=list)
    pushes: list[Push] = field(default_factory=list)
    readers: dict[str, Reader] = field(default_factory=dict)
    closers: list[Callable[[], Awaitable[None]]] = field(default_factory=list)

    async def setup_problems(self) -> list[str]:
        """What is wrong with the systems' own set-up, one line each. A system that is away is not checked now."""
        found: list[str] = []
        for name, check in self.setup_checks.items():
            try:
                found += [f"systems.{name}: {problem}" for problem in await check()]
            except SystemFailure as failure:
                if failure.family is not Family.TRANSIENT:
                    found.append(f"systems.{name}: {failure}")
                log.warning("the set-up of %s could not be checked: %s", name, failure)
        return found

    async def close(self) -> None:
        for close in reversed(self.closers):
            await close()


def connect_systems(settings: Settings, ledger: Ledger) -> Connected:
    connected = Connected()
    for name, system in settings.systems.items():
        connectors[system.kind](connected, name, system.settings, ledger)
    return connected


def push_names(settings: Settings, *, listened: bool = False) -> list[str]:
    """The streams that systems could push by, or those that are listened to."""
    return [
        FinancialForcePush.name_of(name)
        for name, system in settings.systems.items()
        if isinstance(system.settings, FinancialForceSettings) and (system.settings.push.channel or not listened)
    ]


def listeners(settings: Settings) -> dict[str, Listener]:
    """Who reads the notifications of each system."""
    found: dict[str, Listener] = {}
    for name, system in settings.systems.items():
        if isinstance(system.settings, MagentoSettings):
            found[name] = MagentoListener(system.settings, system=name)
        elif isinstance(system.settings, JustOnSettings) and system.settings.webhook_secret is not None:
            found[name] = JustOnNotifications(system.settings, system=name)
        elif isinstance(system.settings, FinancialForceSettings) and system.settings.webhook_secret is not None:
            found[name] = FinancialForceNotifications(system.settings, system=name)
        elif isinstance(system.settings, CarrierSettings) and system.settings.webhook_secret is not None:
            found[name] = CarrierListener(system.settings, system=name)
    return found


def _magento(connected: Connected, name: str, settings: Any, ledger: Ledger) -> None:
    client = MagentoClient(settings, system=name)
    shop = MagentoActivities(client, system=name, memory=ledger)
    shipping = MagentoShipping(client, system=name, memory=ledger)
    notes = MagentoNotes(client, system=name, memory=ledger)
    connected.activities[name] = [
        shop.announce_payment,
        shop.ensure_invoice,
        shop.write_references,
        shop.cancel_order,
        shipping.look_at_order,
        shipping.ensure_shipment,
        shipping.invoice_shipped,
        notes.note_goods,
    ]
    connected.probes[name] = client.probe
    connected.sources.append(MagentoOrders(client, system=name))
    connected.readers[name] = MagentoStatements(client, system=name)
    connected.closers.append(client.close)


def _financialforce(connected: Connected, name: str, settings: Any, ledger: Ledger) -> None:
    erp = FinancialForce(settings, system=name)
    goods = FinancialForceFulfillment(settings, system=name, client=erp.client)
    connected.activities[name] = [
        erp.check_order,
        erp.find_customer,
        erp.find_items,
        erp.book_order,
        erp.book_receipt,
        erp.book_all,
        erp.book_refund,
        erp.cancel_order,
        goods.look_at_fulfillment,
        goods.cancel_lines,
        goods.request_transfer,
    ]
    connected.probes[name] = erp.client.probe
    connected.setup_checks[name] = erp.verify_setup
    connected.readers[name] = FinancialForceStatements(settings, erp.client, system=name)
    connected.sources.append(FinancialForceGoods(settings, system=name, client=erp.client))
    if settings.push.channel:
        connected.pushes.append(FinancialForcePush(settings, system=name, login=erp.client.login))
    connected.closers.append(erp.close)


def _juston(connected: Connected, name: str, settings: Any, ledger: Ledger) -> None:
    """Two endpoints: the hosted service, which gives payment links, and the org, which keeps every record."""
    org = records_endpoint(name, "juston")
    salesforce = SalesforceClient(settings.salesforce, system=org)
    hosted = HostedClient(settings, system=name)
    payments = JustOnPayments(settings, system=name, salesforce=salesforce, hosted=hosted, memory=ledger)
    billing = JustOnBilling(settings, system=name, salesforce=salesforce)
    connected.activities[name] = [payments.ensure_entry]
    connected.activities[org] = [
        payments.look_at_entry,
        payments.cancel_entry,
        billing.ensure_order,
        billing.find_invoice,
        billing.cancel,
    ]
    connected.probes[name] = hosted.probe
    connected.probes[org] = salesforce.probe
    connected.system_of[org] = name
    connected.sources.append(JustOnEntries(settings, system=name, salesforce=salesforce))
    connected.readers[org] = JustOnStatements(settings, system=org, salesforce=salesforce)
    connected.sources.append(JustOnInvoices(settings, system=name, salesforce=salesforce))
    connected.closers += [hosted.close, salesforce.close]


def _carrier(connected: Connected, name: str, settings: Any, ledger: Ledger) -> None:
    client = CarrierClient(settings, system=name)
    connected.activities[name] = [CarrierActivities(client, system=name).look_at_parcels]
    connected.probes[name] = client.probe
    connected.sources.append(CarrierParcels(client, FulfillmentBook(ledger.engine), system=name))
    connected.closers.append(client.close)


connectors: dict[str, Callable[[Connected, str, Any, Ledger], None]] = {
    "magento": _magento,
    "financialforce": _financialforce,
    "juston": _juston,
    "carrier": _carrier,
}
