"""The base of every model in the shared language: frozen, strict about unknown fields, aware UTC times."""

from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict


class Model(BaseModel):
    """A value. A misspelt field is refused by name instead of being dropped.

    What was given is a buyer's: errors that end in logs and histories do not quote it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=False, hide_input_in_errors=True)


def _to_utc(value: datetime) -> datetime:
    return value.astimezone(UTC)


UtcDatetime = Annotated[AwareDatetime, AfterValidator(_to_utc)]
"""An aware time, kept in UTC. A time without a zone is refused."""
