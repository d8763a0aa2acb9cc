"""What to do about a difference: why it may stand for now, the command that repairs or explains it, and who acts."""

import shlex
from collections.abc import Iterable, Mapping

from commerce.model import Model, UtcDatetime
from commerce.reconciliation import Difference, DifferenceKind
from commerce.statements import Piece, Statement, StatementKind, quantities_of

K = DifferenceKind
SHIPMENTS = "shipments"
# Cases of the goods about what was cancelled: they hold no shipment up.
BESIDE = ("refund what was cancelled", "agree with the shop's cancellation")
_OF_CANCELLATIONS = frozenset({"orders", "billing", "shop-invoices", "entries"})


class GoodsFacts(Model):
    """What is known of an order's goods: of the run that follows them, or of the last one.

    `handed_over`: its checkout left it to be followed. `written`: shipments that are in the shop for all that the run
    knows. `waits`: those that the shop shows once the rest of a bundle has left. `cases`: open cases that hold
    shipments up. `fresh_since`: what was changed later may still be on its way to the shop.
    """

    handed_over: bool = False
    written: frozenset[str] = frozenset()
    waits: frozenset[str] = frozenset()
    skipped: tuple[str, ...] = ()
    cases: tuple[str, ...] = ()
    fresh_since: UtcDatetime


class Facts(Model):
    """What is known of an order besides its documents.

    `stage`: of its run while `open_since` is set, else the stage it ended in (empty: no run is known). `cases`: ids of
    open cases. `skipped`: steps that a person left out, as `step: reason (who)`. `corrected`: who changed the order.
    `quarantined`: why it was not taken in, under the number `quarantine`. `goods`: where shipments differ.
    """

    stage: str = ""
    open_since: UtcDatetime | None = None
    cases: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()
    corrected: str = ""
    quarantined: str = ""
    quarantine: int | None = None
    goods: GoodsFacts | None = None


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
    cases = facts.goods.cases if facts.goods is not None and difference.pair == SHIPMENTS else facts.cases
    if cases:
        command = f'starter.py resolve {shlex.quote(cases[0])} --decision retry --reason "…"'
        remedy = f"case {cases[0]} waits for a decision: `starter.py parked` says what came back"
    else:
        command = f"starter.py explain {key}"
        remedy = "nothing: its run goes on by itself" if explained.startswith(IN_PROGRESS) else ""
    if not explained:
        at_vendor = _remedy(difference, facts)
        remedy = f"{at_vendor}; {remedy}" if remedy else at_vendor
        if not cases and _follows(difference, facts):
            command = f"starter.py follow {key}"
        elif not cases and facts.quarantine is not None:
            command = f'starter.py release {facts.quarantine} --reason "…"'
    return difference.model_copy(update={"explained": explained, "command": command, "remedy": remedy})


def reason_of(explained: str) -> str:
    """The kind of an explanation, for counting."""
    return next((reason for reason in REASONS if explained.startswith(reason)), explained)


def _follows(difference: Difference, facts: Facts) -> bool:
    """Whether following the goods again brings the missing shipment into the shop."""
    missing = difference.pair == SHIPMENTS and difference.kind is K.MISSING and not difference.right
    return missing and facts.goods is not None and facts.goods.handed_over


def _explanation(difference: Difference, facts: Facts) -> str:
    if difference.pair == SHIPMENTS:
        return _of_shipments(difference, facts, facts.goods) if facts.goods is not None else ""
    for step in facts.skipped:
        if step.startswith(_STEPS[difference.pair]) and difference.kind in (K.MISSING, K.STATUS):
            return f"{SKIPPED} by a decision: {step}"
    if difference.pair in _OF_CANCELLATIONS and difference.kind in (K.STATUS, K.CANCELLATIONS):
        settled = [step for step in (facts.goods.skipped if facts.goods is not None else ()) if step.startswith(BESIDE)]
        if settled:
            return f"{SKIPPED} by a decision: {settled[-1]}"
    if difference.kind is K.AMOUNT and facts.corrected and _against_the_shop(difference):
        return f"{CORRECTED} by a decision: {facts.corrected}"
    if difference.kind not in (K.MISSING, K.STATUS, K.CANCELLATIONS):
        return ""
    if facts.cases:
        return f"{PARKED}: {', '.join(facts.cases)}"
    if facts.open_since is not None:
        return f"{IN_PROGRESS}: {facts.stage or 'just begun'} since {facts.open_since:%Y-%m-%d %H:%M} UTC"
    if difference.pair == "refunds" and not difference.left and _by_gateway(difference, facts):
        return f"{VOUCHED}: the gateway that paid back is not connected; a person said that it did"
    return ""


def _of_shipments(difference: Difference, facts: Facts, goods: GoodsFacts) -> str:
    """A run explains what it has not written yet; not for ever, because a hint may be lost."""
    for step in goods.skipped:
        if step.startswith(f"show the rest of shipment {difference.item}:"):
            return f"{SKIPPED} by a decision: {step}"
    if difference.item in goods.waits and not goods.cases:
        return f"{IN_PROGRESS}: the shop shows it once the rest of its bundle has left too"
    if difference.kind not in (K.MISSING, K.STATUS):
        return ""
    for step in goods.skipped:
        if step.startswith((f"write shipment {difference.item}:", f"ship {difference.item}:")):
            return f"{SKIPPED} by a decision: {step}"
    if goods.cases:
        return f"{PARKED}: {', '.join(goods.cases)}"
    if difference.kind is not K.MISSING or difference.right:
        return ""
    if facts.open_since is not None:
        return f"{IN_PROGRESS}: {facts.stage or 'just begun'} since {facts.open_since:%Y-%m-%d %H:%M} UTC"
    young = all(one.modified_at >= goods.fresh_since for one in difference.left)
    if young and goods.handed_over and difference.item not in goods.written:
        return f"{IN_PROGRESS}: left the house, on its way to the shop since {difference.since:%Y-%m-%d %H:%M} UTC"
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
    if difference.kind is K.GOODS:
        said = f"{left} holds {goods_said(difference.left)}, {right} holds {goods_said(difference.right)}"
        return f"{said}: find out what left the house and correct the one that is wrong in its system"
    if difference.kind is K.CANCELLATIONS:
        here, there = (
            pieces_said(piece for one in side for piece in one.canceled) for side in (difference.left, difference.right)
        )
        said = f"of {left} was cancelled: {here}; of {right}: {there}"
        return f"{said}; cancel what is missing in the shop, or with `starter.py cancel {key}` at the ERP"
    if difference.kind is K.STATUS:
        return f"{left} is {_status(difference.left)}, {right} is {_status(difference.right)}: bring them in line"
    if not difference.left:
        return _MISSING_LEFT[difference.pair].format(key=key, right=right)
    if difference.pair == "orders" and facts.quarantined:
        return f"{left} is quarantined ({facts.quarantined}): mend that, then release it"
    if difference.pair == "orders" and not facts.stage:
        return f"{left} was never taken in: save it in the shop again, and the feed takes it in"
    if difference.pair == SHIPMENTS and not _follows(difference, facts):
        return (
            f"{left} left the house, and nothing follows the goods of {key}: ship it in the shop by hand, with this "
            "number in the comment"
        )
    return _MISSING_RIGHT[difference.pair].format(key=key, left=left, item=difference.item)


_MISSING_LEFT: Mapping[str, str] = {
    "orders": "{right} belongs to no order that the shop shows or a portal placed: find out who made it, cancel it",
    "payments": "{right} has no payment behind it: find out who booked it, discard or reverse it in the ERP",
    "refunds": "{right} has no refund behind it: pay the money back, or discard the entry in the ERP",
    "billing": "{right} bills an order that the ERP does not have: book it there under {key}, or withdraw it",
    "invoices": "{right} bills nothing that was handed over: find out who made it, cancel it in billing",
    "shop-invoices": "{right} has no invoice behind it: make a credit memo in the shop, or bill the order",
    "entries": "{right} has no payment entry behind it: assign the money that pays it in the payment system",
    "shipments": "{right} was made in the shop and the ERP has no such shipment: ship the goods in the ERP and put its "
    "number into the comment of the shop's shipment; if nothing left the house, have it removed there",
}
_MISSING_RIGHT: Mapping[str, str] = {
    "orders": "{left} has no sales order: enter it in the ERP under the key {key}",
    "payments": "{left} is not booked: enter a cash receipt in the ERP with the reference {item}",
    "refunds": "{left} is not booked: enter a cash refund in the ERP with the reference {item}",
    "billing": "{left} is not with billing: create the billing order under the key {key}",
    "invoices": "{left} is not invoiced: look at its build error and start the invoice run in billing",
    "shop-invoices": "{left} is not in the shop: invoice the order there with this number as the comment",
    "entries": "{left} is not assigned: assign it to the order's invoice in billing",
    "shipments": "{left} is not in the shop: follow the goods again, and it is written there; a shipment made there "
    "by hand is taken for it once its comment holds this number",
}


def _live(statements: tuple[Statement, ...]) -> list[Statement]:
    return [one for one in statements if one.state == "live"]


def _name(statement: Statement) -> str:
    return f"{statement.kind} {statement.number or statement.id}"


def _names(statements: tuple[Statement, ...]) -> str:
    return " and ".join(f"{_name(one)} over {one.amount}" for one in statements)


def goods_said(statements: Iterable[Statement]) -> str:
    """Such as `2 of HF-1001, 1 of HF-1003`."""
    return pieces_said(piece for one in statements for piece in one.goods)


def pieces_said(said: Iterable[Piece]) -> str:
    pieces = list(said)
    names = {piece.line: piece.sku or f"line {piece.line}" for piece in pieces}
    return ", ".join(f"{number:f} of {names[line]}" for line, number in quantities_of(pieces).items()) or "nothing"


def _status(statements: tuple[Statement, ...]) -> str:
    return " and ".join(dict.fromkeys(one.status or one.state for one in statements))
