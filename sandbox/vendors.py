"""Which stand-ins there are, in the order of their ports."""

from sandbox.carrier import CarrierVendor
from sandbox.juston.vendor import JustOnVendor
from sandbox.kernel.world import Vendor, World
from sandbox.magento.vendor import MagentoVendor
from sandbox.mail import MailVendor
from sandbox.pending import PendingVendor
from sandbox.salesforce.vendor import SalesforceVendor


def vendors(world: World) -> list[Vendor]:
    """Every stand-in, the caller adds them to the world."""
    salesforce = SalesforceVendor(world)
    return [
        MagentoVendor(world),
        salesforce,
        JustOnVendor(world),
        PendingVendor(world, "sage-x3"),
        PendingVendor(world, "sage-100"),
        MailVendor(world),
        CarrierVendor(world, salesforce.org),
    ]
