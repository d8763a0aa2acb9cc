"""What the billing system says about an order's invoice."""

from commerce.model import Model
from commerce.money import Money


class InvoiceState(Model):
    """The invoice of an order. `final`: it has its number and cannot change. `balance` is what is still open."""

    id: str
    number: str
    status: str
    final: bool
    total: Money
    tax: Money
    balance: Money
    entry_assigned: bool
    booked: Money
    build_error: str = ""


class BillingProgress(Model):
    """`invoice` is None while the run has not billed the order; `build_error` says why the run skipped it."""

    invoice: InvoiceState | None = None
    build_error: str = ""
