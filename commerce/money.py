"""Money: integer minor units and an ISO 4217 currency. Decimal at the edge, float never."""

from collections.abc import Iterable
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation, localcontext
from typing import Any

from pydantic import Field, field_validator, model_validator

from commerce.model import Model

# Minor-unit exponents that differ from 2, from the ISO 4217 table published by the maintenance agency (SIX).
_EXPONENTS = dict.fromkeys(
    "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF".split(),
    0,
) | dict.fromkeys("BHD IQD JOD KWD LYD OMR TND".split(), 3)
# Active two-decimal currencies of the same table.
_TWO_DECIMALS = frozenset(
    """AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CNY COP CRC
    CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD
    KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO
    NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL
    THB TJS TMT TOP TRY TTD TWD TZS UAH USD UYU UZS VED VES WST XCD XCG YER ZAR ZMW ZWG""".split()
)

# Every JSON reader holds whole numbers up to here exactly, and the ledger's column has room for them.
_LARGEST = 2**53 - 1


def decimals_of(currency: str) -> int:
    """Decimal places of an ISO 4217 currency. Raises ValueError for an unknown code."""
    if currency in _EXPONENTS:
        return _EXPONENTS[currency]
    if currency in _TWO_DECIMALS:
        return 2
    raise ValueError(f"currency {currency!r} is not an active ISO 4217 code; use three capital letters such as EUR")


class Money(Model):
    """An amount in minor units (cents, yen, fils). Reads `"129.90 EUR"` and `{"minor": 12990, "currency": "EUR"}`."""

    minor: int = Field(
        strict=True, ge=-_LARGEST, le=_LARGEST, description="Amount in the currency's minor units", examples=[12990]
    )
    currency: str = Field(description="ISO 4217 code", examples=["EUR"])

    @model_validator(mode="before")
    @classmethod
    def _read_text(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        amount, _, currency = value.strip().partition(" ")
        try:
            number = Decimal(amount)
        except InvalidOperation:
            number = Decimal("NaN")
        if not number.is_finite():
            raise ValueError(f'money {value!r} is not an amount and a currency; write it like "129.90 EUR"')
        return exact(number, currency).model_dump()

    @field_validator("currency")
    @classmethod
    def _known(cls, value: str) -> str:
        decimals_of(value)
        return value

    @classmethod
    def zero(cls, currency: str) -> "Money":
        return cls(minor=0, currency=currency)

    def decimal(self) -> Decimal:
        """The amount in major units, with exactly the currency's decimals."""
        return Decimal(self.minor).scaleb(-decimals_of(self.currency))

    def __add__(self, other: "Money") -> "Money":
        return Money(minor=self.minor + self._same(other), currency=self.currency)

    def __sub__(self, other: "Money") -> "Money":
        return Money(minor=self.minor - self._same(other), currency=self.currency)

    def __neg__(self) -> "Money":
        return Money(minor=-self.minor, currency=self.currency)

    def __lt__(self, other: "Money") -> bool:
        return self.minor < self._same(other)

    def __bool__(self) -> bool:
        return self.minor != 0

    def __str__(self) -> str:
        return f"{self.decimal()} {self.currency}"

    def _same(self, other: "Money") -> int:
        if other.currency != self.currency:
            raise ValueError(f"{self} and {other} have different currencies")
        return other.minor


def exact(amount: Decimal, currency: str) -> Money:
    """The amount as Money; refuses an amount with more decimals than the currency has."""
    minor = _in_minor_units(amount, currency)
    if minor != minor.to_integral_value():
        raise ValueError(
            f"{amount} has more decimals than {currency} has ({decimals_of(currency)}); give it with those, or round it"
        )
    return Money(minor=int(minor), currency=currency)


def rounded(amount: Decimal, currency: str) -> Money:
    """The amount as Money, rounded half up to the currency's decimals (the vendors' float noise ends here)."""
    minor = _in_minor_units(amount, currency).to_integral_value(rounding=ROUND_HALF_UP)
    return Money(minor=int(minor), currency=currency)


def _in_minor_units(amount: Decimal, currency: str) -> Decimal:
    """Every digit is kept: the default context would round at 28, before anything was checked."""
    if not amount.is_finite() or amount.adjusted() > 20:
        raise ValueError(f"{amount} is not an amount; the largest is {_LARGEST} minor units")
    with localcontext() as context:
        context.prec = max(28, len(amount.as_tuple().digits) + 4)
        return amount.scaleb(decimals_of(currency))


def total(amounts: Iterable[Money], currency: str) -> Money:
    """Sum of amounts in one currency; zero of `currency` for none."""
    result = Money.zero(currency)
    for amount in amounts:
        result += amount
    return result


def by_currency(amounts: Iterable[Money]) -> tuple[Money, ...]:
    """Sums by currency, in the order of their codes."""
    sums: dict[str, Money] = {}
    for amount in amounts:
        sums[amount.currency] = sums.get(amount.currency, Money.zero(amount.currency)) + amount
    return tuple(sums[currency] for currency in sorted(sums))
