"""Values between wire, row and store: what each field type takes, and how it says no.

In a row (what hooks and `Org.get` see) numbers are Decimal, ints are int, dates are `2026-11-21` and datetimes are
`2026-11-21T10:15:30.000+0000` in UTC, so that both compare as text. The store keeps Decimals as text.
"""

import json
import re
from datetime import UTC, date, datetime
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any

from sandbox.salesforce import ids
from sandbox.salesforce.errors import SalesforceError
from sandbox.salesforce.schema import NUMBERS, TEXTS, Described, Doc, Field

EMAIL = re.compile(r"^[^@\s]+@[^@\s.]+(\.[^@\s.]+)+$")


def stamp(moment: datetime) -> str:
    """A datetime the way the API writes it; the platform keeps whole seconds."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.000+0000")


def moment(text: str) -> datetime:
    """The inverse of `stamp`, for any ISO 8601 datetime with an offset; raises ValueError."""
    value = datetime.fromisoformat(text)
    if value.tzinfo is None:
        raise ValueError(f"{text!r} has no offset")
    return value.astimezone(UTC)


def number(value: Any) -> Decimal:
    """A Decimal from JSON or CSV input; raises ValueError. Floats are refused: they cannot hold money."""
    if isinstance(value, bool) or not isinstance(value, int | Decimal | str):
        raise ValueError(f"{value!r} is not a number")
    try:
        result = Decimal(value.strip()) if isinstance(value, str) else Decimal(value)
    except InvalidOperation as err:
        raise ValueError(f"{value!r} is not a number") from err
    if not result.is_finite():
        raise ValueError(f"{value!r} is not a number")
    return result


def accept(column: Field, value: Any) -> Any:
    """The row value of an input value; raises SalesforceError the vendor's way."""
    if value is None or (isinstance(value, str) and not value.strip()):
        return False if column.type == "boolean" else None
    if column.type in TEXTS:
        return _text(column, value)
    if column.type in NUMBERS or column.type == "int":
        return _number(column, value)
    if column.type in ("picklist", "multipicklist"):
        return _choice(column, value)
    if column.type == "boolean":
        if isinstance(value, bool):
            return value
        if isinstance(value, str) and value.lower() in ("true", "false", "1", "0"):
            return value.lower() in ("true", "1")
        raise _unreadable("boolean", value)
    if column.type in ("date", "datetime"):
        return _time(column, value)
    known = ids.normal(value)
    if known is None:
        raise SalesforceError(
            "MALFORMED_ID", f"{column.title}: id value of incorrect type: {_shown(value)}", (column.name,)
        )
    return known


def _text(column: Field, value: Any) -> str:
    if isinstance(value, bool):
        value = "true" if value else "false"
    elif isinstance(value, int | Decimal):
        value = str(value)
    elif not isinstance(value, str):
        raise _unreadable("string", value)
    text: str = value.strip()
    if column.type == "email" and not EMAIL.match(text):
        raise SalesforceError("INVALID_EMAIL_ADDRESS", f"{column.title}: invalid email address: {text}", (column.name,))
    if len(text) > column.max_length:
        raise SalesforceError(
            "STRING_TOO_LONG",
            f"{column.title}: data value too large: {text[:100]} (max length={column.max_length})",
            (column.name,),
        )
    return text


def _number(column: Field, value: Any) -> Any:
    try:
        exact = number(value)
    except ValueError as err:
        raise _unreadable("int" if column.type == "int" else "double", value) from err
    if column.type == "int":
        if exact != exact.to_integral_value():
            raise _unreadable("int", value)
        return int(exact)
    digits = column.precision or 18
    rounded = exact.quantize(Decimal(1).scaleb(-column.scale), rounding=ROUND_HALF_UP) if _fits(exact) else exact
    if abs(rounded) >= Decimal(10) ** (digits - column.scale):
        raise SalesforceError(
            "NUMBER_OUTSIDE_VALID_RANGE",
            f"{column.title}: value outside of valid range on numeric field: {value}",
            (column.name,),
        )
    return rounded


def _fits(exact: Decimal) -> bool:
    return abs(exact) < Decimal(10) ** 18


def _choice(column: Field, value: Any) -> str:
    if not isinstance(value, str):
        raise _unreadable("string", value)
    chosen = [part.strip() for part in value.split(";")] if column.type == "multipicklist" else [value.strip()]
    for part in chosen:
        if column.restricted and column.picklist and part not in column.picklist:
            raise SalesforceError(
                "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST",
                f"{column.title}: bad value for restricted picklist field: {part}",
                (column.name,),
            )
        if len(part) > 255:
            raise SalesforceError(
                "STRING_TOO_LONG",
                f"{column.title}: data value too large: {part[:100]} (max length=255)",
                (column.name,),
            )
    return ";".join(chosen)


def _time(column: Field, value: Any) -> str:
    if not isinstance(value, str):
        raise _unreadable(column.type, value)
    try:
        if column.type == "datetime":
            return stamp(moment(value))
        if len(value) > 10:
            return moment(value).date().isoformat()
        return date.fromisoformat(value).isoformat()
    except ValueError as err:
        raise _unreadable(column.type, value) from err


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, default=str)


def _unreadable(kind: str, value: Any) -> SalesforceError:
    token = {str: "VALUE_STRING", bool: "VALUE_BOOLEAN", dict: "START_OBJECT", list: "START_ARRAY"}.get(
        type(value), "VALUE_NUMBER"
    )
    return SalesforceError(
        "JSON_PARSER_ERROR",
        f"Cannot deserialize instance of {kind} from {token} value {_shown(value)} "
        "or request may be missing a required field",
    )


def to_store(described: Described, row: Doc) -> Doc:
    """A row the way the store keeps it: no empty fields, Decimals as text, folded copies of keys under `~Field`."""
    kept: Doc = {}
    for column in described.fields:
        value = row.get(column.name)
        if value is None or column.formula:
            continue
        kept[column.name] = str(_number(column, value)) if column.type in NUMBERS else value
        if column.indexed_folded:
            kept["~" + column.name] = value.lower()
    return kept


def from_store(column: Field, value: Any) -> Any:
    """One stored value as a row value."""
    if value is None:
        return False if column.type == "boolean" else None
    return Decimal(value) if column.type in NUMBERS else value


def index_key(column: Field, value: Any) -> tuple[str, Any]:
    """Where the store's index finds rows whose `column` is `value`: the stored name and the stored value."""
    if column.type == "reference" or column.type == "id":
        return column.name, ids.normal(value)
    if column.indexed_folded and isinstance(value, str):
        return "~" + column.name, value.strip().lower()
    known = accept(column, value)
    return column.name, str(known) if isinstance(known, Decimal) else known


def dumps(value: Any) -> bytes:
    """JSON as the API writes it: Decimals become JSON numbers without passing through float."""
    return _write(value).encode()


def _write(value: Any) -> str:
    if isinstance(value, Decimal):
        text = format(value, "f")
        return text if "." in text else text + ".0"
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(str(k), ensure_ascii=False)}:{_write(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(_write(v) for v in value) + "]"
    return json.dumps(value, ensure_ascii=False)
