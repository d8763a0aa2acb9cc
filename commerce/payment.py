"""What a payment entry's state means for its order. The entry is the truth; webhook, browser and timer are hints."""

from enum import StrEnum

from pydantic import model_validator

from commerce.model import Model, UtcDatetime
from commerce.money import Money
from commerce.order import Order
from commerce.totals import captured


class Collected(Model):
    """Money that the payment system has taken in one payment. `transaction_id` is the provider's."""

    id: str
    amount: Money
    transaction_id: str
    method: str = ""
    provider: str = ""
    collected_at: UtcDatetime | None = None


class EntryStatus(StrEnum):
    OPEN = "open"
    BALANCED = "balanced"
    CANCELED = "canceled"


class EntryState(Model):
    """An entry as the payment system shows it now."""

    entry_id: str
    key: str
    status: EntryStatus
    amount: Money
    assigned: Money
    collected: tuple[Collected, ...] = ()
    failed_attempts: int = 0
    pending_attempts: int = 0

    @model_validator(mode="after")
    def _one_currency(self) -> "EntryState":
        for money in (self.assigned, *(payment.amount for payment in self.collected)):
            if money.currency != self.amount.currency:
                raise ValueError(f"entry {self.key}: {money} is not in the entry's currency {self.amount.currency}")
        return self


class Payable(StrEnum):
    """What an entry's state means for the order that waits for it."""

    WAITING = "waiting"
    CAPTURED = "captured"
    PARTLY = "partly paid"
    OVERPAID = "overpaid"
    CANCELED = "canceled"
    REOPENED = "reopened"
    SETTLED_OTHERWISE = "settled without a payment"


def judge(state: EntryState, *, was_captured: bool) -> Payable:
    """The meaning of a state. `was_captured`: this order has seen the full amount before."""
    held = taken(state)
    if state.amount < held:
        return Payable.OVERPAID
    if state.status is EntryStatus.CANCELED:
        # Canceled with money in it is nobody's plan: the money must be named to a person.
        return Payable.CANCELED
    if state.status is EntryStatus.BALANCED:
        # Balanced with less money than the amount: somebody settled it by hand, and says why, or it is a mistake.
        return Payable.CAPTURED if held == state.amount else Payable.SETTLED_OTHERWISE
    if was_captured:
        return Payable.REOPENED
    return Payable.PARTLY if held else Payable.WAITING


def taken(state: EntryState) -> Money:
    """All money that was collected on the entry."""
    result = Money.zero(state.amount.currency)
    for payment in state.collected:
        result += payment.amount
    return result


def as_collected(order: Order) -> tuple[Collected, ...]:
    """The payments that the shop's own gateway took, as receipts see them."""
    return tuple(
        Collected(
            id=payment.transaction_id,
            amount=payment.amount,
            transaction_id=payment.transaction_id,
            method=payment.method,
            provider=payment.gateway,
            collected_at=payment.paid_at,
        )
        for payment in captured(order)
        if payment.amount
    )
