"""Both sides of every pair of documents, compared order by order. Pure rules: who reads what is not known here.

A statement is one document as its own system shows it. The pairs say which kinds of document must stand opposite each
other; for each order and item (one payment's transaction, where a pair is about payments) both sides are compared.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from pydantic import Field

from commerce.model import Model, UtcDatetime
from commerce.money import Money


class StatementKind(StrEnum):
    SHOP_ORDER = "shop order"
    SALES_ORDER = "sales order"
    PAYMENT = "payment"
    RECEIPT = "cash receipt"
    REFUND = "refund"
    CASH_REFUND = "cash refund"
    BILLING_ORDER = "billing order"
    INVOICE = "invoice"
    SHOP_INVOICE = "shop invoice"
    ENTRY = "payment entry"
    SETTLEMENT = "settled invoice"


class StatementState(StrEnum):
    """`live` counts; `pending` is there but does not count yet (a draft, an open entry); `canceled` counts no more."""

    LIVE = "live"
    PENDING = "pending"
    CANCELED = "canceled"


class Statement(Model):
    """One document as its system shows it. `key` is the order's; `item` tells the payments of one order apart.

    `amount` is never negative; what goes out has a kind of its own. `status` is the system's own word. `on_account`:
    a shop order that is paid by terms. `keyed`: it carries our key; else it was made by hand and only names the order.
    """

    kind: StatementKind
    system: str
    key: str
    id: str
    number: str = ""
    item: str = ""
    amount: Money
    state: StatementState
    status: str = ""
    on_account: bool = False
    keyed: bool = True
    created_at: UtcDatetime
    modified_at: UtcDatetime


@dataclass(frozen=True)
class Pair:
    """`left_parts`, `right_parts`: whether several documents of one order are legal there when they add up."""

    name: str
    left: StatementKind
    right: StatementKind
    left_name: str
    right_name: str
    left_parts: bool = False
    right_parts: bool = False


_K = StatementKind
PAIRS = (
    Pair("orders", _K.SHOP_ORDER, _K.SALES_ORDER, "shop", "ERP"),
    Pair("payments", _K.PAYMENT, _K.RECEIPT, "payments", "ERP cash"),
    Pair("refunds", _K.REFUND, _K.CASH_REFUND, "payments", "ERP cash", left_parts=True, right_parts=True),
    Pair("billing", _K.SALES_ORDER, _K.BILLING_ORDER, "ERP", "billing"),
    Pair("invoices", _K.BILLING_ORDER, _K.INVOICE, "billing", "invoices"),
    Pair("shop-invoices", _K.INVOICE, _K.SHOP_INVOICE, "invoices", "shop", right_parts=True),
    Pair("entries", _K.ENTRY, _K.SETTLEMENT, "payment entries", "invoices"),
)
PAIR_NAMES = tuple(pair.name for pair in PAIRS)
PORTAL = "portal"  # the system of an order that a portal placed: what was accepted stands for the shop's side


class DifferenceKind(StrEnum):
    MISSING = "missing"
    DOUBLED = "doubled"
    AMOUNT = "amount differs"
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


@dataclass
class Tally:
    """What one pair of one order adds to the totals: documents that count, and their money by currency."""

    left: int = 0
    right: int = 0
    canceled: int = 0
    pending: int = 0


class PairMoney(Model):
    """Minor units of one currency on both sides. `matched`: what stands on both and agrees."""

    currency: str
    left: int = 0
    right: int = 0
    matched: int = 0

    @property
    def difference(self) -> Money:
        return Money(minor=self.left - self.right, currency=self.currency)


class PairTotals(Model):
    """One row of the report. `canceled`: canceled on both sides; `pending`: not due yet."""

    pair: str
    left_name: str
    right_name: str
    left: int = 0
    right: int = 0
    canceled: int = 0
    pending: int = 0
    differences: int = 0
    explained: int = 0
    money: tuple[PairMoney, ...] = ()


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
    found = []
    for pair in pairs:
        left, right = of[pair.left], of[pair.right]
        if pair.right is StatementKind.SHOP_INVOICE and not right and not _invoiced_in_shop(of):
            left = []
        elif pair.right is StatementKind.SHOP_INVOICE:
            left = [one for one in left if one.state is not StatementState.PENDING]
        found.append(_compare_pair(pair, order_key, left, right))
    return found


def _invoiced_in_shop(of: defaultdict[StatementKind, list[Statement]]) -> bool:
    """The shop shows an invoice for orders that live in it and are paid in advance."""
    return any(order.system != PORTAL and not order.on_account for order in of[StatementKind.SHOP_ORDER])


def _drop_money_that_came_and_went(of: defaultdict[StatementKind, list[Statement]]) -> None:
    """Money that went back whole before it was booked leaves nothing to book."""
    booked = {one.item for one in (*of[StatementKind.RECEIPT], *of[StatementKind.CASH_REFUND]) if not _is_canceled(one)}
    for item in {one.item for one in of[StatementKind.PAYMENT]} - booked:
        came = [one for one in of[StatementKind.PAYMENT] if one.item == item]
        went = [one for one in of[StatementKind.REFUND] if one.item == item]
        if went and _sums(came) == _sums(went):
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
        if len(live) > 1 and not (parts and (not other or _sums(live) == _sums(other) or not _twins(live))):
            extra = sorted(live, key=lambda one: (one.created_at, one.id))[1:]
            doubled.append(
                _difference(pair, DifferenceKind.DOUBLED, order_key, item, lefts, rights, side=name, about=extra)
            )
    if doubled:
        return doubled
    left_state, right_state = _state(lefts), _state(rights)
    if StatementState.LIVE not in (left_state, right_state):
        return []
    if right_state is None:
        return [_difference(pair, _MISSING, order_key, item, live_left, (), side=pair.right_name, about=live_left)]
    if left_state is None:
        return [_difference(pair, _MISSING, order_key, item, (), live_right, side=pair.left_name, about=live_right)]
    if left_state is not right_state:
        about = live_left or live_right
        return [_difference(pair, DifferenceKind.STATUS, order_key, item, lefts, rights, about=about, changed=True)]
    if _sums(live_left) == _sums(live_right):
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


def _sums(statements: Iterable[Statement]) -> dict[str, int]:
    found: dict[str, int] = {}
    for one in statements:
        found[one.amount.currency] = found.get(one.amount.currency, 0) + one.amount.minor
    return found


def _sum_in(statements: Iterable[Statement], currency: str) -> Money:
    return Money(minor=_sums(statements).get(currency, 0), currency=currency)


def _twins(statements: Sequence[Statement]) -> bool:
    """Whether two of them are over the same amount: one document made twice, not one amount in parts."""
    amounts = [one.amount for one in statements]
    return any(amount in amounts[:i] for i, amount in enumerate(amounts))


# ---- totals ----------------------------------------------------------------------------------------------------------


class Totals:
    """Adds up what was compared, pair by pair."""

    def __init__(self) -> None:
        self._rows = {pair.name: Tally() for pair in PAIRS}
        self._money: dict[str, dict[str, list[int]]] = {pair.name: {} for pair in PAIRS}
        self._differences: dict[str, list[int]] = {pair.name: [0, 0] for pair in PAIRS}

    def add(self, compared: Compared) -> None:
        name = compared.pair.name
        row, money = self._rows[name], self._money[name]
        row.left, row.right = row.left + len(compared.left), row.right + len(compared.right)
        row.canceled, row.pending = row.canceled + compared.canceled, row.pending + compared.pending
        for side, statements in enumerate((compared.left, compared.right)):
            for currency, minor in _sums(statements).items():
                held = money.setdefault(currency, [0, 0, 0])
                held[side] += minor
                held[2] += minor if side == 0 and not compared.differences else 0

    def count(self, difference: Difference) -> None:
        self._differences[difference.pair][bool(difference.explained)] += 1

    def rows(self, pairs: Iterable[Pair]) -> tuple[PairTotals, ...]:
        return tuple(
            PairTotals(
                pair=pair.name,
                left_name=pair.left_name,
                right_name=pair.right_name,
                **vars(self._rows[pair.name]),
                differences=self._differences[pair.name][0],
                explained=self._differences[pair.name][1],
                money=tuple(
                    PairMoney(currency=currency, left=left, right=right, matched=matched)
                    for currency, (left, right, matched) in sorted(self._money[pair.name].items())
                ),
            )
            for pair in pairs
        )


class Age(Model):
    """Unexplained differences of one age."""

    bucket: str
    differences: int = 0
    money: tuple[Money, ...] = ()


BUCKETS = (("< 1 h", 3600), ("< 1 d", 86_400), ("< 7 d", 7 * 86_400), ("older", None))


def bucket_of(since: datetime, now: datetime) -> str:
    seconds = (now - since).total_seconds()
    return next(name for name, end in BUCKETS if end is None or seconds < end)


def ages(differences: Iterable[Difference], now: datetime) -> tuple[Age, ...]:
    counts: dict[str, int] = {}
    money: dict[str, dict[str, int]] = {}
    for one in differences:
        name = bucket_of(one.since, now)
        counts[name] = counts.get(name, 0) + 1
        held = money.setdefault(name, {})
        held[one.amount.currency] = held.get(one.amount.currency, 0) + one.amount.minor
    return tuple(
        Age(
            bucket=name,
            differences=counts.get(name, 0),
            money=tuple(Money(minor=minor, currency=code) for code, minor in sorted(money.get(name, {}).items())),
        )
        for name, _ in BUCKETS
    )


# ---- the report ------------------------------------------------------------------------------------------------------


class Report(Model):
    """One comparison. `differences` counts the unexplained ones. `explained`: how many by reason."""

    id: str
    since: UtcDatetime
    until: UtcDatetime
    store: str = ""
    pair: str = ""
    orders: int
    pairs: tuple[PairTotals, ...]
    differences: int
    explained: dict[str, int] = Field(default_factory=dict)
    ages: tuple[Age, ...]
    oldest: UtcDatetime | None = None
    verdict: str
    at: UtcDatetime

    @property
    def in_step(self) -> bool:
        return self.differences == 0


def verdict(
    orders: int,
    pairs: Sequence[PairTotals],
    differences: Sequence[Difference],
    explained: dict[str, int],
    now: datetime,
) -> str:
    """One line: in step or not, by how much, and since when. `orders` are those that agree in everything."""
    known = ", ".join(f"{number} {reason}" for reason, number in sorted(explained.items()))
    if differences:
        oldest = _age(min(one.since for one in differences), now)
        plural = "s" if len(differences) != 1 else ""
        tail = f"; also {known}" if known else ""
        return f"{len(differences)} difference{plural} ({', '.join(_summed(differences))}), oldest {oldest}{tail}"
    tail = f"; {known}" if known else ""
    if not orders:
        return f"in step: nothing else changed{tail}" if known else "in step: nothing changed"
    money = [Money(minor=one.matched, currency=one.currency) for pair in pairs[:1] for one in pair.money]
    sums = " and ".join(str(one) for one in money if one)
    both = f", {sums} on both sides" if sums else ""
    return f"in step: {orders} order{'s' if orders != 1 else ''}{both}{tail}"


def _summed(differences: Sequence[Difference]) -> list[str]:
    """Such as `1 missing in ERP 99.84 EUR`, the most frequent first."""
    groups: dict[str, tuple[int, dict[str, int]]] = {}
    for one in differences:
        where = f" in {one.side}" if one.side else f" in {one.pair}"
        number, money = groups.get(f"{one.kind}{where}", (0, {}))
        held = money | {one.amount.currency: money.get(one.amount.currency, 0) + one.amount.minor}
        groups[f"{one.kind}{where}"] = (number + 1, held)
    ordered = sorted(groups.items(), key=lambda entry: (-entry[1][0], entry[0]))
    return [
        f"{number} {name} {' and '.join(str(Money(minor=m, currency=c)) for c, m in sorted(money.items()))}"
        for name, (number, money) in ordered
    ]


def _age(since: datetime, now: datetime) -> str:
    seconds = max(int((now - since).total_seconds()), 0)
    for size, unit in ((86_400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"
