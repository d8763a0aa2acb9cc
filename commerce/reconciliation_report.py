"""What a comparison adds up to: counts and money of both sides, ages, and the verdict in one line. Pure functions."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from pydantic import Field

from commerce.fulfillment import ZERO, Count
from commerce.model import Model, UtcDatetime
from commerce.money import Money
from commerce.reconciliation import PAIRS, Compared, Difference, Pair
from commerce.statements import Statement, quantities_of, sums_of


@dataclass
class Tally:
    """What one pair of one order adds to the totals: documents that count, and their money by currency."""

    left: int = 0
    right: int = 0
    canceled: int = 0
    pending: int = 0
    left_pieces: Decimal = ZERO
    right_pieces: Decimal = ZERO


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
    """One row of the report. `canceled`: canceled on both sides; `pending`: not due yet. Pieces: of shipments alone."""

    pair: str
    left_name: str
    right_name: str
    left: int = 0
    right: int = 0
    canceled: int = 0
    pending: int = 0
    left_pieces: Count = ZERO
    right_pieces: Count = ZERO
    differences: int = 0
    explained: int = 0
    money: tuple[PairMoney, ...] = ()


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
        if compared.pair.goods:
            row.left_pieces += pieces_of(compared.left)
            row.right_pieces += pieces_of(compared.right)
        for side, statements in enumerate((compared.left, compared.right)):
            for currency, minor in sums_of(statements).items():
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


def pieces_of(statements: Iterable[Statement]) -> Decimal:
    return sum((sum(quantities_of(one.goods).values(), ZERO) for one in statements), ZERO)


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
