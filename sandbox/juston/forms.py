"""What the hosted service accepts: the bodies of `entry-link` and `refund`, checked field by field."""

import json
import re
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

from sandbox.salesforce.org import CURRENCIES
from sandbox.salesforce.packages.cash_money import decimals, rounded

REDIRECTS = ("success", "failure", "cancel")
EMAIL = re.compile(r"^[^@\s]+@[^@\s.]+(\.[^@\s.]+)+$")
LANGUAGE = re.compile(r"^[a-z]{2}([-_][A-Z]{2})?$")


class Refusal(Exception):
    """The service says no: HTTP `status` with `{"error": code, "message": message}`."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


@dataclass(frozen=True)
class EntryLink:
    """A checked `entry-link` body."""

    amount: Decimal
    currency: str
    title: str
    key: str
    reference: str | None = None
    day: str | None = None
    due: str | None = None
    business_entity: str | None = None
    email: str | None = None
    language: str | None = None
    redirects: dict[str, str] = field(default_factory=dict)
    custom: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class RefundOrder:
    """A checked `refund` body; `amount` None means everything."""

    link: str
    amount: Decimal | None
    reason: str


def parse_json(body: bytes) -> dict[str, Any]:
    """The body as a JSON object with exact numbers."""
    try:
        value = json.loads(body, parse_float=Decimal)
    except ValueError as err:
        raise Refusal(400, "malformed_json", f"The body is not JSON: {err}") from err
    if not isinstance(value, dict):
        raise Refusal(400, "malformed_json", "The body is not a JSON object")
    return value


def entry_link(body: dict[str, Any]) -> EntryLink:
    known = {
        "amount",
        "currency",
        "title",
        "paymentReference",
        "assignmentKey",
        "date",
        "dueDate",
        "businessEntity",
        "email",
        "language",
        "redirectUrls",
        "customFields",
    }
    _only(body, known)
    currency = _text(body, "currency", 3, required=True)
    if currency not in CURRENCIES:
        raise _invalid("currency", f"{currency!r} is not one of {', '.join(CURRENCIES)}")
    return EntryLink(
        amount=amount(body.get("amount"), currency),
        currency=currency,
        title=_text(body, "title", 255, required=True) or "",
        key=_text(body, "assignmentKey", 255, required=True) or "",
        reference=_text(body, "paymentReference", 140),
        day=_day(body, "date"),
        due=_day(body, "dueDate"),
        business_entity=_text(body, "businessEntity", 80),
        email=_matching(body, "email", 80, EMAIL),
        language=_matching(body, "language", 5, LANGUAGE),
        redirects=_redirects(body.get("redirectUrls")),
        custom=_custom(body.get("customFields")),
    )


def refund(body: dict[str, Any]) -> RefundOrder:
    """The amount's decimals are checked by the caller, who knows the currency."""
    _only(body, {"linkId", "amount", "reason"})
    value = body.get("amount")
    if value is not None and (isinstance(value, bool) or not isinstance(value, int | Decimal)):
        raise _invalid("amount", "is not a number")
    return RefundOrder(
        link=_text(body, "linkId", 255, required=True) or "",
        amount=None if value is None else Decimal(value),
        reason=_text(body, "reason", 255) or "",
    )


def amount(value: Any, currency: str) -> Decimal:
    """A positive JSON number with at most the currency's decimals."""
    if isinstance(value, bool) or not isinstance(value, int | Decimal) or not Decimal(value).is_finite():
        raise _invalid("amount", "is missing or not a number")
    exact = Decimal(value)
    if not 0 < exact < Decimal(10) ** 15:
        raise _invalid("amount", f"{exact} is not positive")
    if exact != rounded(exact, currency):
        raise _invalid("amount", f"{exact} has more than the {decimals(currency)} decimals of {currency}")
    return exact


def _only(body: dict[str, Any], known: set[str]) -> None:
    unknown = sorted(set(body) - known)
    if unknown:
        raise Refusal(400, "unknown_field", f"Unknown {', '.join(unknown)}; known are {', '.join(sorted(known))}")


def _text(body: dict[str, Any], name: str, length: int, *, required: bool = False) -> str | None:
    value = body.get(name)
    if value is None or value == "":
        if required:
            raise _invalid(name, "is missing")
        return None
    if not isinstance(value, str):
        raise _invalid(name, "is not a text")
    if len(value) > length:
        raise _invalid(name, f"is longer than {length} characters")
    return value


def _matching(body: dict[str, Any], name: str, length: int, pattern: re.Pattern[str]) -> str | None:
    value = _text(body, name, length)
    if value is not None and not pattern.match(value):
        raise _invalid(name, f"{value!r} is not valid")
    return value


def _day(body: dict[str, Any], name: str) -> str | None:
    value = _text(body, name, 10)
    try:
        return None if value is None else date.fromisoformat(value).isoformat()
    except ValueError as err:
        raise _invalid(name, f"{value!r} is not a date such as 2026-11-21") from err


def _redirects(value: Any) -> dict[str, str]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise _invalid("redirectUrls", "is not an object")
    unknown = sorted(set(value) - set(REDIRECTS))
    if unknown:
        raise Refusal(400, "unknown_field", f"redirectUrls has unknown {', '.join(unknown)}")
    for name, url in value.items():
        parts = urlsplit(url) if isinstance(url, str) else None
        if parts is None or parts.scheme not in ("http", "https") or not parts.netloc:
            raise _invalid(f"redirectUrls.{name}", f"{url!r} is not an http address")
    return dict(value)


def _custom(value: Any) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise _invalid("customFields", "is not an object")
    for name in value:
        # Packaged fields have a namespace; only the org's own fields may be set this way.
        if not name.endswith("__c") or "__" in name.removesuffix("__c"):
            raise _invalid(f"customFields.{name}", "is not a custom field of the org")
    return dict(value)


def _invalid(name: str, message: str) -> Refusal:
    return Refusal(400, "validation_error", f"{name}: {message}")
