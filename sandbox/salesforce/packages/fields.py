"""Short spellings of field types, close to the way the vendor's data dictionaries write them.

`number(n, left, decimals)` counts digits left of the point, as a field listing does: N(12,6) is precision 18, scale 6.
"""

from collections.abc import Callable
from typing import Any

from sandbox.salesforce.schema import Field, FieldType


def text(
    name: str, length: int = 255, *, required: bool = False, default: Any = None, read_only: bool = False
) -> Field:
    return Field(name, "string", length=length, required=required, default=default, read_only=read_only)


def key(name: str, length: int, *, external: bool = True) -> Field:
    """A unique text, case-insensitive; an external id unless said otherwise."""
    return Field(name, "string", length=length, unique=True, external_id=external)


def auto_name(pattern: str) -> Field:
    """`Name` as an auto-number, for example "SIN{0:06d}"."""
    return Field("Name", "string", length=80, auto_number=pattern, label="Name")


def long_text(name: str, length: int = 32_768) -> Field:
    return Field(name, "textarea", length=length)


def lookup(
    name: str,
    *targets: str,
    required: bool = False,
    default: Callable[..., Any] | None = None,
    read_only: bool = False,
    children: str | None = None,
) -> Field:
    return Field(
        name,
        "reference",
        reference_to=targets,
        required=required,
        default=default,
        read_only=read_only,
        child_relationship=children,
    )


def master(name: str, target: str, children: str | None = None) -> Field:
    """The detail's link to its master."""
    return Field(
        name, "reference", reference_to=(target,), master_detail=True, required=True, child_relationship=children
    )


def number(name: str, left: int = 16, decimals: int = 2, *, default: Any = None, read_only: bool = False) -> Field:
    return Field(name, "double", precision=left + decimals, scale=decimals, default=default, read_only=read_only)


def money(name: str, left: int = 16, decimals: int = 2, *, default: Any = None, read_only: bool = False) -> Field:
    return Field(name, "currency", precision=left + decimals, scale=decimals, default=default, read_only=read_only)


def whole(name: str, *, default: int | None = None, read_only: bool = False) -> Field:
    return Field(name, "int", default=default, read_only=read_only)


def day(name: str, *, required: bool = False, default: Callable[..., Any] | None = None) -> Field:
    return Field(name, "date", required=required, default=default)


def time(name: str, *, read_only: bool = False) -> Field:
    return Field(name, "datetime", read_only=read_only)


def checkbox(name: str, *, default: bool = False, read_only: bool = False) -> Field:
    return Field(name, "boolean", default=default, read_only=read_only)


def choice(
    name: str, *values: str, default: str | None = None, open_ended: bool = False, read_only: bool = False
) -> Field:
    """A picklist; `open_ended` where the vendor's full list of values is not known."""
    return Field(
        name, "picklist", length=255, picklist=values, restricted=not open_ended, default=default, read_only=read_only
    )


def computed(name: str, kind: FieldType, formula: Callable[..., Any], *, scale: int = 0) -> Field:
    """A formula or a roll-up: computed when it is read, refused when it is written."""
    return Field(name, kind, formula=formula, scale=scale)
