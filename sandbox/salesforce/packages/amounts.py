"""Reading amounts from stored rows. Formulas use these: a row read through `Org.get` would compute formulas again."""

from collections.abc import Iterable
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from sandbox.salesforce.org import Org
from sandbox.salesforce.schema import Doc

ZERO = Decimal(0)


def stored(org: Org, object_name: str, record_id: Any) -> Doc:
    """The row as the store keeps it (Decimals as text, no formulas, no empty fields); {} when there is none."""
    return org.table(object_name).get(record_id) or {} if record_id else {}


def children(org: Org, object_name: str, field: str, record_id: Any) -> list[Doc]:
    """Stored rows whose reference `field` is `record_id`, oldest first."""
    return org.table(object_name).where(field, record_id) if record_id else []


def dec(row: Doc, field: str) -> Decimal:
    """A number of a stored or a read row; zero where it is empty."""
    value = row.get(field)
    return ZERO if value is None else Decimal(value)


def total(rows: Iterable[Doc], field: str) -> Decimal:
    return sum((dec(row, field) for row in rows), ZERO)


def rounded(value: Decimal, decimals: int) -> Decimal:
    """Half up, the way both ledgers round."""
    return value.quantize(Decimal(1).scaleb(-decimals), rounding=ROUND_HALF_UP)


def minor(value: Decimal, decimals: int) -> int | None:
    """Integer minor units; None where the amount is finer than the currency, so that no book shows a rounded one."""
    units = value.scaleb(decimals)
    return int(units) if units == units.to_integral_value() else None


def plain(value: Decimal) -> str:
    """A quantity or amount without trailing zeros and without an exponent: 2, 0.5, 100."""
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
