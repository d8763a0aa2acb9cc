"""Does the billing system's invoice agree with the order? To the minor unit, with the payment assigned and booked."""

from commerce.billing import BillingProgress
from commerce.model import Model
from commerce.money import Money
from commerce.order import Order
from commerce.totals import amount_due, gross_total, on_account_total, tax_total


class Disagreement(Model):
    """`final`: waiting does not heal it."""

    text: str
    final: bool


def invoice_problems(order: Order, progress: BillingProgress, *, prepaid: bool) -> list[Disagreement]:
    """Everything that is not (yet) as it must be; empty when the invoice is good.

    `prepaid`: nothing may stay open; else what the buyer has on account does.
    """
    invoice = progress.invoice
    if progress.build_error:
        return [Disagreement(text=f"the invoice run refused the order: {progress.build_error}", final=True)]
    if invoice is None:
        return [Disagreement(text="the invoice run has not billed the order", final=False)]
    if not invoice.final:
        return [Disagreement(text=f"the invoice is {invoice.status}, not final", final=False)]
    found: list[Disagreement] = []
    gross, tax = gross_total(order), tax_total(order)
    if invoice.total != gross:
        found.append(
            Disagreement(
                text=f"invoice {invoice.number} says {invoice.total}, the order {gross} "
                f"(difference {invoice.total - gross})",
                final=True,
            )
        )
    if invoice.tax != tax:
        found.append(
            Disagreement(
                text=f"invoice {invoice.number} has tax {invoice.tax}, the order {tax} "
                f"(difference {invoice.tax - tax})",
                final=True,
            )
        )
    if amount_due(order) and not invoice.entry_assigned:
        found.append(Disagreement(text=f"invoice {invoice.number} is not assigned to the payment entry", final=False))
    open_now = Money.zero(order.currency) if prepaid else on_account_total(order)
    if invoice.balance != open_now:
        found.append(
            Disagreement(text=f"invoice {invoice.number} has {invoice.balance} open, expected {open_now}", final=False)
        )
    if invoice.booked != gross:
        found.append(
            Disagreement(
                text=f"booking data of invoice {invoice.number} sums up to {invoice.booked}, expected {gross}",
                final=False,
            )
        )
    return found
