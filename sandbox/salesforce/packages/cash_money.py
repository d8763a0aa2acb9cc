"""Amounts of the JustOn packages: how many decimals a currency has, and rounding half up. Decimal only."""

from decimal import ROUND_HALF_UP, Decimal
from typing import Any

ZERO = Decimal(0)

# ISO 4217 minor units that are not 2.
NO_DECIMALS = frozenset("BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF".split())
THREE_DECIMALS = frozenset("BHD IQD JOD KWD LYD OMR TND".split())


def decimals(currency: str) -> int:
    """Digits after the point of an ISO 4217 currency."""
    if currency in NO_DECIMALS:
        return 0
    return 3 if currency in THREE_DECIMALS else 2


def money(value: Any) -> Decimal:
    """The value of an amount field; an empty one counts as zero."""
    return ZERO if value is None else Decimal(value)


def rounded(value: Decimal, currency: str) -> Decimal:
    """Half up (away from zero) to the currency's decimals."""
    return value.quantize(Decimal(1).scaleb(-decimals(currency)), rounding=ROUND_HALF_UP)


def minor_units(value: Any, currency: str) -> int:
    """The amount as an integer of minor units; raises ValueError where it has digits below them."""
    scaled = money(value).scaleb(decimals(currency))
    whole = scaled.to_integral_value()
    if whole != scaled:
        raise ValueError(f"{value} has more decimals than {currency}")
    return int(whole)


def shown(value: Any, currency: str) -> str:
    """The amount with the currency's decimals and a point: `129.90`, `1300`, `1.250`."""
    return format(rounded(money(value), currency), "f")
