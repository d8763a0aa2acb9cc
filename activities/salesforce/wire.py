"""JSON as Salesforce sends and takes it, without a float in between: numbers are Decimal on both sides."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from activities.wire import dumps as dumps
from commerce.failures import SystemFailure


def loads(content: bytes) -> Any:
    """The body as data; every number is a Decimal. Raises ValueError for what is not JSON."""
    return json.loads(content.decode("utf-8"), parse_float=Decimal, parse_int=Decimal, parse_constant=_refuse_constant)


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


@dataclass(frozen=True)
class Upserted:
    """The record behind a business key. `created` is False when it was there and was updated."""

    id: str
    created: bool


@dataclass(frozen=True)
class Sub:
    """One part of a composite request. `path` follows the version root: `/sobjects/Account/Key__c/17`."""

    method: str
    path: str
    reference: str
    body: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class SubResult:
    """The answer to one part. `failure` is set only where parts may fail alone (`all_or_none` False)."""

    status: int
    body: Any
    failure: SystemFailure | None = None

    @property
    def id(self) -> str:
        """Record id of a create or upsert, empty where the answer names none."""
        return str(self.body.get("id", "")) if isinstance(self.body, dict) else ""
