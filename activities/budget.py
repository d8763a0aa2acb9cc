"""How many calls a system may still get, and who may make them. Pure rules.

The count is of the last 24 hours, as Salesforce counts, and over all workers. The vendor's own number goes before ours,
because other programs call it, too.
"""

from collections.abc import Mapping
from typing import Literal

from pydantic import Field

from commerce.model import Model

Level = Literal["free", "warned", "reserve", "spent"]
"""`warned`: people are told. `reserve`: what is left is kept for money. `spent`: nothing is left."""
# Steps that are not money, among those of the roles; what is no step of a role is not money either. The shop's note
# with the payment link is: buyers pay by it, and the shop's invoice waits for it.
_NOT_MONEY = frozenset(
    {
        "storefront.write_references",
        "storefront.say",
        "storefront.look_at_order",
        "erp.look_at_fulfillment",
        "erp.request_transfer",
    }
)
_ROLES = ("erp", "payments", "billing", "storefront")
# Feeds pass, because they see payments; they look less often instead.
FEED = "feed.follow"


class Budget(Model):
    """`calls` in 24 hours; None: only the vendor's number counts, if it sends one. Shares of the calls allowed."""

    calls: int | None = Field(default=None, gt=0)
    warn_at: float = 0.8
    reserve_for_money: float = 0.1


class Usage(Model):
    """Calls of the last 24 hours. `allowed` None: nobody limits them."""

    used: int
    allowed: int | None
    by_vendor: bool
    level: Level


def usage(budget: Budget, counted: int, vendor: tuple[int, int] | None) -> Usage:
    """`vendor` is what it said last: used and allowed. A smaller budget of ours holds beside it."""
    used = counted if vendor is None else vendor[0]
    limits = [limit for limit in (budget.calls, vendor[1] if vendor else None) if limit is not None]
    allowed = min(limits, default=None)
    return Usage(used=used, allowed=allowed, by_vendor=vendor is not None, level=_level(budget, used, allowed))


def _level(budget: Budget, used: int, allowed: int | None) -> Level:
    if allowed is None:
        return "free"
    if used >= allowed:
        return "spent"
    if allowed - used <= allowed * budget.reserve_for_money:
        return "reserve"
    return "warned" if used >= allowed * budget.warn_at else "free"


def may_call(level: Level, activity: str) -> bool:
    """Whether a step of this name (empty: no step at all) may call a system whose budget stands so."""
    if level == "spent":
        return False
    if level != "reserve" or activity == FEED:
        return True
    return activity.partition(".")[0] in _ROLES and activity not in _NOT_MONEY


def smallest(budgets: Mapping[str, Budget]) -> Budget:
    """The budget of systems that share one allowance."""
    return min(budgets.values(), key=lambda budget: budget.calls if budget.calls is not None else float("inf"))
