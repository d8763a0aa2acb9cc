"""Exact amounts: Decimals in arithmetic, text in the store, rounded half up to the currency's decimals."""

from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

ZERO = Decimal(0)
NO_DECIMALS = frozenset(("BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF").split())
THREE_DECIMALS = frozenset(("BHD IQD JOD KWD LYD OMR TND").split())


def dec(value: Any) -> Decimal:
    """A stored or given amount as a Decimal; absent is zero."""
    return ZERO if value is None or value == "" else Decimal(str(value))


def decimals(currency: str) -> int:
    """Minor unit digits of ISO 4217."""
    return 0 if currency in NO_DECIMALS else 3 if currency in THREE_DECIMALS else 2


def rounded(amount: Decimal, currency: str) -> Decimal:
    return amount.quantize(Decimal(1).scaleb(-decimals(currency)), ROUND_HALF_UP)


def minor(amount: Any, currency: str) -> int:
    return int(rounded(dec(amount), currency).scaleb(decimals(currency)))


def spread(total: Decimal, weights: Sequence[Decimal], currency: str) -> list[Decimal]:
    """`total` split in proportion to `weights`, each part rounded, the parts adding up to `total` exactly."""
    whole = sum(weights, ZERO)
    result: list[Decimal] = []
    seen = given = ZERO
    for weight in weights:
        seen += weight
        upto = rounded(total * seen / whole, currency) if whole else ZERO
        result.append(upto - given)
        given = upto
    return result
