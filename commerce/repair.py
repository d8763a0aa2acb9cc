"""What to do about a difference: why it may stand for now, the command that repairs or explains it, and who acts."""

import shlex
from collections.abc import Mapping

from commerce.model import Model, UtcDatetime
from commerce.reconciliation import Difference, DifferenceKind, Statement, StatementKind

K = DifferenceKind


class Facts(Model):
    """What is known of an order besides its documents.

    `stage`: of its run while `open_since` is set, else the stage it ended in (empty: no run is known). `cases`: ids of
    open cases. `skipped`: steps that a person left out, as `step: reason (who)`. `corrected`: who changed the order.
    `quarantined`: why it was not taken in, under the number `quarantine`.
    """

    stage: str = ""
    open_since: UtcDatetime | None = None
    cases: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()
    corrected: str = ""
    quarantined: str = ""
    quarantine: int | None = None


# Steps whose leaving-out explains a difference of the pair.
_STEPS: Mapping[str, tuple[str, ...]] = {
    "orders": ("cancel sales order", "cancel shop order"),
    "payments": ("judge payment", "confirm payment"),
    "refunds": ("book refund",),
    "billing": ("cancel sales order", "cancel billing"),
    "invoices": ("cancel billing",),
    "shop-invoices": ("write shop invoice",),
    "entries": ("judge payment", "confirm payment", "cancel payment"),
}
IN_PROGRESS, PARKED, SKIPPED, CORRECTED, VOUCHED = "in progress", "parked", "skipped", "corrected", "vouched for"
REASONS = (IN_PROGRESS, PARKED, SKIPPED, CORRECTED, VOUCHED)


def advise(difference: Difference, facts: Facts) -> Difference:
    """The difference with its explanation, its command and its remedy.

    A run that is under way, or a case that waits, explains what is not there yet; never what is there twice or with
    another amount. A decision explains what it decided.
    """
    explained = _explanation(difference, facts)
    key = shlex.quote(difference.order_key)
    if facts.cases:
        command = f'starter.py resolve {shlex.quote(facts.cases[0])} --decision retry --reason "…"'
        remedy = f"case {facts.cases[0]} waits for a decision: `starter.py parked` says what came back"
    else:
        command = f"starter.py explain {key}"
        remedy = "nothing: its run goes on by itself" if explained.startswith(IN_PROGRESS) else ""
    if not explained:
        at_vendor = _remedy(difference, facts)
        remedy = f"{at_vendor}; {remedy}" if remedy else at_vendor
        if not facts.cases and facts.quarantine is not None:
            command = f'starter.py release {facts.quarantine} --reason "…"'
    return difference.model_copy(update={"explained": explained, "command": command, "remedy": remedy})


def reason_of(explained: str) -> str:
    """The kind of an explanation, for counting."""
    return next((reason for reason in REASONS if explained.startswith(reason)), explained)


def _explanation(difference: Difference, facts: Facts) -> str:
    for step in facts.skipped:
        if step.startswith(_STEPS[difference.pair]) and difference.kind in (K.MISSING, K.STATUS):
            return f"{SKIPPED} by a decision: {step}"
    if difference.kind is K.AMOUNT and facts.corrected and _against_the_shop(difference):
        return f"{CORRECTED} by a decision: {facts.corrected}"
    if difference.kind not in (K.MISSING, K.STATUS):
        return ""
    if facts.cases:
        return f"{PARKED}: {', '.join(facts.cases)}"
    if facts.open_since is not None:
        return f"{IN_PROGRESS}: {facts.stage or 'just begun'} since {facts.open_since:%Y-%m-%d %H:%M} UTC"
    if difference.pair == "refunds" and not difference.left and _by_gateway(difference, facts):
        return f"{VOUCHED}: the gateway that paid back is not connected; a person said that it did"
    return ""


def _by_gateway(difference: Difference, facts: Facts) -> bool:
    return any(step.startswith("refund at the shop's gateway") for step in facts.skipped)


def _against_the_shop(difference: Difference) -> bool:
    kinds = {one.kind for one in (*difference.left, *difference.right)}
    return bool(kinds & {StatementKind.SHOP_ORDER, StatementKind.SHOP_INVOICE})


def _remedy(difference: Difference, facts: Facts) -> str:
    """What a person does, with the names of the documents."""
    key, left, right = difference.order_key, _names(difference.left), _names(difference.right)
    if difference.kind is K.DOUBLED:
        extra = difference.left if len(_live(difference.left)) > 1 else difference.right
        newest = max(_live(extra), key=lambda one: (one.created_at, one.id))
        return f"{_names(extra)} stand for the same: cancel the surplus one ({_name(newest)}) in {newest.system}"
    if difference.kind is K.AMOUNT:
        return f"{left} and {right} differ by {difference.amount}: correct the one that is wrong in its system"
    if difference.kind is K.STATUS:
        return f"{left} is {_status(difference.left)}, {right} is {_status(difference.right)}: bring them in line"
    if not difference.left:
        return _MISSING_LEFT[difference.pair].format(key=key, right=right)
    if difference.pair == "orders" and facts.quarantined:
        return f"{left} is quarantined ({facts.quarantined}): mend that, then release it"
    if difference.pair == "orders" and not facts.stage:
        return f"{left} was never taken in: save it in the shop again, and the feed takes it in"
    return _MISSING_RIGHT[difference.pair].format(key=key, left=left, item=difference.item)


_MISSING_LEFT: Mapping[str, str] = {
    "orders": "{right} belongs to no order that the shop shows or a portal placed: find out who made it, cancel it",
    "payments": "{right} has no payment behind it: find out who booked it, discard or reverse it in the ERP",
    "refunds": "{right} has no refund behind it: pay the money back, or discard the entry in the ERP",
    "billing": "{right} bills an order that the ERP does not have: book it there under {key}, or withdraw it",
    "invoices": "{right} bills nothing that was handed over: find out who made it, cancel it in billing",
    "shop-invoices": "{right} has no invoice behind it: make a credit memo in the shop, or bill the order",
    "entries": "{right} has no payment entry behind it: assign the money that pays it in the payment system",
}
_MISSING_RIGHT: Mapping[str, str] = {
    "orders": "{left} has no sales order: enter it in the ERP under the key {key}",
    "payments": "{left} is not booked: enter a cash receipt in the ERP with the reference {item}",
    "refunds": "{left} is not booked: enter a cash refund in the ERP with the reference {item}",
    "billing": "{left} is not with billing: create the billing order under the key {key}",
    "invoices": "{left} is not invoiced: look at its build error and start the invoice run in billing",
    "shop-invoices": "{left} is not in the shop: invoice the order there with this number as the comment",
    "entries": "{left} is not assigned: assign it to the order's invoice in billing",
}


def _live(statements: tuple[Statement, ...]) -> list[Statement]:
    return [one for one in statements if one.state == "live"]


def _name(statement: Statement) -> str:
    return f"{statement.kind} {statement.number or statement.id}"


def _names(statements: tuple[Statement, ...]) -> str:
    return " and ".join(f"{_name(one)} over {one.amount}" for one in statements)


def _status(statements: tuple[Statement, ...]) -> str:
    return " and ".join(dict.fromkeys(one.status or one.state for one in statements))
