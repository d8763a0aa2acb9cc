"""Both sides of every pair of documents, compared order by order. Pure rules: who reads what is not known here.

A statement is one document as its own system shows it. The pairs say which kinds of document must stand opposite each
other; for each order and item (one payment's transaction, where a pair is about payments) both sides are compared.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from commerce.bundles import as_they_left
from commerce.model import Model, UtcDatetime
from commerce.money import Money
from commerce.statements import PORTAL, Piece, Statement, StatementKind, StatementState, quantities_of, sums_of, worth


@dataclass(frozen=True)
class Pair:
    """`left_parts`, `right_parts`: whether several documents of one order are legal there when they add up.

    `goods`: what counts are quantities, line by line; the money is what they are worth.
    """

    name: str
    left: StatementKind
    right: StatementKind
    left_name: str
    right_name: str
    left_parts: bool = False
    right_parts: bool = False
    goods: bool = False


_K = StatementKind
PAIRS = (
    Pair("orders", _K.SHOP_ORDER, _K.SALES_ORDER, "shop", "ERP"),
    Pair("payments", _K.PAYMENT, _K.RECEIPT, "payments", "ERP cash"),
    Pair("refunds", _K.REFUND, _K.CASH_REFUND, "payments", "ERP cash", left_parts=True, right_parts=True),
    Pair("billing", _K.SALES_ORDER, _K.BILLING_ORDER, "ERP", "billing"),
    Pair("invoices", _K.BILLING_ORDER, _K.INVOICE, "billing", "invoices"),
    Pair("shop-invoices", _K.INVOICE, _K.SHOP_INVOICE, "invoices", "shop", right_parts=True),
    Pair("entries", _K.ENTRY, _K.SETTLEMENT, "payment entries", "invoices"),
    Pair("shipments", _K.SHIPMENT, _K.SHOP_SHIPMENT, "ERP shipments", "shop shipments", goods=True),
)
PAIR_NAMES = tuple(pair.name for pair in PAIRS)


class DifferenceKind(StrEnum):
    MISSING = "missing"
    DOUBLED = "doubled"
    AMOUNT = "amount differs"
    GOODS = "goods differ"
    CANCELLATIONS = "cancellations differ"
    STATUS = "status differs"


class Difference(Model):
    """`side` is where it is missing or doubled. `amount` is what it is about: the missing or surplus money.

    `explained` says why nobody has to act (empty: somebody has to); `command` is the exact one that repairs or explains
    it, `remedy` what to do, at the vendor where no command of ours does it.
    """

    pair: str
    kind: DifferenceKind
    side: str = ""
    order_key: str
    item: str = ""
    left: tuple[Statement, ...] = ()
    right: tuple[Statement, ...] = ()
    amount: Money
    since: UtcDatetime
    explained: str = ""
    command: str = ""
    remedy: str = ""


@dataclass(frozen=True)
class Compared:
    """One pair of one order."""

    pair: Pair
    left: tuple[Statement, ...]
    right: tuple[Statement, ...]
    canceled: int
    pending: int
    differences: tuple[Difference, ...]


def compare(order_key: str, statements: Sequence[Statement], pairs: Iterable[Pair] = PAIRS) -> list[Compared]:
    """Every pair of one order. `statements` are all documents of that order, in every system.

    What was made by hand counts beside documents with our key; alone it is the ERP's own business.
    """
    if not any(one.keyed for one in statements):
        statements = ()
    of: defaultdict[StatementKind, list[Statement]] = defaultdict(list)
    for statement in statements:
        of[statement.kind].append(statement)
    _drop_money_that_came_and_went(of)
    of[_K.SHOP_SHIPMENT] = _in_the_words_of_the_erp(of)
    found = []
    for pair in pairs:
        left, right = of[pair.left], of[pair.right]
        if pair.right is StatementKind.SHOP_INVOICE and not right and not _invoiced_in_shop(of):
            left = []
        elif pair.right is StatementKind.SHOP_INVOICE and (
            _is_invoiced_in_parts(of) or (_live(right) and _is_credited(of))
        ):
            left = right = []
        elif pair.right is StatementKind.SHOP_INVOICE:
            left = [one for one in left if one.state is not StatementState.PENDING]
        elif pair.left is _K.SALES_ORDER and _live(left) and _is_credited(of) and not any(one.unsent for one in left):
            left, right = [], []  # the sales order says what was sent, and stays
        elif pair.goods and not _lives_in_shop(of):
            left, right = [], []
        found.append(_compare_pair(pair, order_key, left, right))
    return found


def _invoiced_in_shop(of: defaultdict[StatementKind, list[Statement]]) -> bool:
    """The shop shows an invoice for orders that live in it and are paid in advance."""
    return any(order.system != PORTAL and not order.on_account for order in of[StatementKind.SHOP_ORDER])


def _is_credited(of: defaultdict[StatementKind, list[Statement]]) -> bool:
    """The invoice was canceled after it was shown and paid, and all money or everything that was ordered went back."""
    if not of[_K.INVOICE] or _live(of[_K.INVOICE]):
        return False
    came, went = sums_of(_live(of[_K.PAYMENT])), sums_of(_live(of[_K.REFUND]))
    if came and came == went:
        return True
    back = quantities_of(piece for one in of[_K.SHOP_ORDER] for piece in (*one.canceled, *one.refunded))
    ordered = quantities_of(piece for one in of[_K.SALES_ORDER] if one.keyed for piece in one.goods)
    return bool(ordered) and all(back.get(line, Decimal(0)) >= number for line, number in ordered.items())


def _is_invoiced_in_parts(of: defaultdict[StatementKind, list[Statement]]) -> bool:
    """An order on account is invoiced in the shop as it ships: less than its invoice for as long as something is open,
    and for good where the rest was cancelled. More than its invoice is what may never be.
    """
    if _invoiced_in_shop(of):
        return False
    invoiced, shown = sums_of(_live(of[_K.INVOICE])), sums_of(_live(of[_K.SHOP_INVOICE]))
    return all(minor <= invoiced.get(currency, 0) for currency, minor in shown.items())


def _lives_in_shop(of: defaultdict[StatementKind, list[Statement]]) -> bool:
    return any(order.system != PORTAL for order in of[StatementKind.SHOP_ORDER])


def _in_the_words_of_the_erp(of: defaultdict[StatementKind, list[Statement]]) -> list[Statement]:
    """The shop's shipments under the ERP's numbers, with its lines and prices: one measure for both sides.

    The shop shows rows that go with a line of the ERP (a bundle above its parts, a variant below its article).
    """
    booked = {piece.line: piece for order in of[_K.SALES_ORDER] if order.keyed for piece in order.goods}
    numbers = {one.item for one in of[_K.SHIPMENT]}
    found = []
    for one in of[_K.SHOP_SHIPMENT]:
        above = {piece.parent for piece in one.goods if piece.line in booked}
        goods = tuple(
            piece.model_copy(update={"price": booked[piece.line].price}) if piece.line in booked else piece
            for piece in one.goods
            if piece.line in booked or not (piece.parent in booked or piece.line in above)
        )
        ours = next((name for name in one.names if name in numbers), one.item or one.number)
        amount = worth(goods, one.amount.currency) if goods else one.amount
        found.append(one.model_copy(update={"item": ours, "goods": goods, "names": (), "amount": amount}))
    return _under_which_they_left(found, of[_K.SHIPMENT])


def _under_which_they_left(shown: list[Statement], left: Sequence[Statement]) -> list[Statement]:
    """Parts of bundles under the shipment with which they left: the shop shows a bundle with its last part."""
    pieces = {piece.line: piece for one in shown for piece in one.goods}
    parts = [line for line, piece in pieces.items() if piece.parent]
    by_item = {one.item: one for one in shown}
    if not parts or len(by_item) < len(shown):  # what is there twice is said as it is
        return shown
    oldest = sorted(_live(left), key=lambda one: (one.created_at, one.id))
    goods_of = [{one.item: _goods([one]) for one in statements} for statements in (oldest, shown)]
    found = []
    for item, quantities in as_they_left(goods_of[0], goods_of[1], parts).items():
        one = by_item.get(item) or next(each for each in shown if quantities.keys() & goods_of[1][each.item].keys())
        goods = tuple(pieces[line].model_copy(update={"quantity": n}) for line, n in quantities.items() if n)
        same = quantities == goods_of[1].get(item)
        given = {"item": item, "goods": goods, "amount": worth(goods, one.amount.currency)}
        found.append(one if same else one.model_copy(update=given))
    return found


def _drop_money_that_came_and_went(of: defaultdict[StatementKind, list[Statement]]) -> None:
    """Money that went back whole before it was booked leaves nothing to book."""
    booked = {one.item for one in (*of[StatementKind.RECEIPT], *of[StatementKind.CASH_REFUND]) if not _is_canceled(one)}
    for item in {one.item for one in of[StatementKind.PAYMENT]} - booked:
        came = [one for one in of[StatementKind.PAYMENT] if one.item == item]
        went = [one for one in of[StatementKind.REFUND] if one.item == item]
        if went and sums_of(came) == sums_of(went):
            for kind in (StatementKind.PAYMENT, StatementKind.REFUND):
                of[kind] = [one for one in of[kind] if one.item != item]


def _compare_pair(pair: Pair, order_key: str, left: list[Statement], right: list[Statement]) -> Compared:
    items = {one.item: None for one in (*left, *right)}
    differences: list[Difference] = []
    canceled = pending = 0
    for item in items:
        lefts, rights = [one for one in left if one.item == item], [one for one in right if one.item == item]
        states = (_state(lefts), _state(rights))
        if StatementState.LIVE not in states:
            both_canceled = set(states) == {StatementState.CANCELED}
            canceled, pending = canceled + both_canceled, pending + (StatementState.PENDING in states)
        differences += _judge(pair, order_key, item, lefts, rights)
    return Compared(pair, _live(left), _live(right), canceled, pending, tuple(differences))


def _judge(pair: Pair, order_key: str, item: str, lefts: list[Statement], rights: list[Statement]) -> list[Difference]:
    live_left, live_right = _live(lefts), _live(rights)
    doubled: list[Difference] = []
    for name, live, other, parts in (
        (pair.left_name, live_left, live_right, pair.left_parts),
        (pair.right_name, live_right, live_left, pair.right_parts),
    ):
        if len(live) > 1 and not (parts and (not other or sums_of(live) == sums_of(other) or not _twins(live))):
            extra = sorted(live, key=lambda one: (one.created_at, one.id))[1:]
            doubled.append(
                _difference(pair, DifferenceKind.DOUBLED, order_key, item, lefts, rights, side=name, about=extra)
            )
    if doubled:
        return doubled
    left_state, right_state = _state(lefts), _state(rights)
    if StatementState.LIVE not in (left_state, right_state):
        return []
    off = _cancelled_apart(lefts, rights) if pair.left is _K.SHOP_ORDER else None
    if off == [] and left_state is not right_state and StatementState.PENDING not in (left_state, right_state):
        return []  # all of it is cancelled on one side, and cancelled or given back on the other
    if off and left_state is right_state:
        return [_cancellations_differ(pair, order_key, item, live_left, live_right, off)]
    if right_state is None:
        return [_difference(pair, _MISSING, order_key, item, live_left, (), side=pair.right_name, about=live_left)]
    if left_state is None:
        return [_difference(pair, _MISSING, order_key, item, (), live_right, side=pair.left_name, about=live_right)]
    if left_state is not right_state:
        about = live_left or live_right
        return [_difference(pair, DifferenceKind.STATUS, order_key, item, lefts, rights, about=about, changed=True)]
    if pair.goods and _goods(live_left) != _goods(live_right):
        return [_goods_differ(pair, order_key, item, live_left, live_right)]
    if sums_of(live_left) == sums_of(live_right):
        return []
    return [_amount_differs(pair, order_key, item, live_left, live_right)]


_MISSING = DifferenceKind.MISSING


def _difference(
    pair: Pair,
    kind: DifferenceKind,
    order_key: str,
    item: str,
    left: Sequence[Statement],
    right: Sequence[Statement],
    *,
    side: str = "",
    about: Sequence[Statement],
    changed: bool = False,
) -> Difference:
    """It has been so since the documents that it is about were made, or since the last change."""
    everything = (*left, *right)
    since = max(one.modified_at for one in everything) if changed else min(one.created_at for one in about)
    return Difference(
        pair=pair.name,
        kind=kind,
        side=side,
        order_key=order_key,
        item=item,
        left=tuple(left),
        right=tuple(right),
        amount=_sum_in(about, about[0].amount.currency),
        since=since,
    )


def _amount_differs(
    pair: Pair, order_key: str, item: str, left: Sequence[Statement], right: Sequence[Statement]
) -> Difference:
    currency = left[0].amount.currency
    same = {one.amount.currency for one in (*left, *right)} == {currency}
    off = _sum_in(left, currency) - _sum_in(right, currency) if same else _sum_in(left, currency)
    found = _difference(pair, DifferenceKind.AMOUNT, order_key, item, left, right, about=left, changed=True)
    return found.model_copy(update={"amount": Money(minor=abs(off.minor), currency=currency)})


def _cancelled_apart(lefts: Sequence[Statement], rights: Sequence[Statement]) -> list[Piece] | None:
    """What was cancelled on one side only; what the shop gave back need not be cancelled there. None: nobody can say.

    A portal has no books of its own, and what was entered by hand has no lines of ours.
    """
    if len(lefts) != 1 or len(rights) != 1 or lefts[0].system == PORTAL or not rights[0].goods:
        return None
    zero = Decimal(0)
    in_shop, given_back, in_erp = (
        quantities_of(pieces) for pieces in (lefts[0].canceled, lefts[0].refunded, rights[0].canceled)
    )
    found = []
    for piece in rights[0].goods:
        here, there = in_shop.get(piece.line, zero), in_erp.get(piece.line, zero)
        off = max(here - there, there - here - given_back.get(piece.line, zero), zero)
        if off:
            found.append(piece.model_copy(update={"quantity": off}))
    return found


def _cancellations_differ(
    pair: Pair,
    order_key: str,
    item: str,
    left: Sequence[Statement],
    right: Sequence[Statement],
    off: Sequence[Piece],
) -> Difference:
    kind = DifferenceKind.CANCELLATIONS
    found = _difference(pair, kind, order_key, item, left, right, about=left, changed=True)
    return found.model_copy(update={"amount": worth(off, left[0].amount.currency)})


def _goods(statements: Iterable[Statement]) -> dict[str, Decimal]:
    return quantities_of(piece for one in statements for piece in one.goods)


def _goods_differ(
    pair: Pair, order_key: str, item: str, left: Sequence[Statement], right: Sequence[Statement]
) -> Difference:
    """Over what the pieces are worth that are on one side only."""
    here, there = _goods(left), _goods(right)
    zero = Decimal(0)
    pieces = {piece.line: piece for one in (*right, *left) for piece in one.goods}
    off = [
        pieces[line].model_copy(update={"quantity": abs(here.get(line, zero) - there.get(line, zero))})
        for line in {**here, **there}
    ]
    found = _difference(pair, DifferenceKind.GOODS, order_key, item, left, right, about=left, changed=True)
    return found.model_copy(update={"amount": worth(off, left[0].amount.currency)})


def _state(statements: Sequence[Statement]) -> StatementState | None:
    """The state that counts most."""
    for state in StatementState:
        if any(one.state is state for one in statements):
            return state
    return None


def _is_canceled(statement: Statement) -> bool:
    return statement.state is StatementState.CANCELED


def _live(statements: Iterable[Statement]) -> tuple[Statement, ...]:
    return tuple(one for one in statements if one.state is StatementState.LIVE)


def _sum_in(statements: Iterable[Statement], currency: str) -> Money:
    return Money(minor=sums_of(statements).get(currency, 0), currency=currency)


def _twins(statements: Sequence[Statement]) -> bool:
    """Whether two of them are over the same amount: one document made twice, not one amount in parts."""
    amounts = [one.amount for one in statements]
    return any(amount in amounts[:i] for i, amount in enumerate(amounts))
