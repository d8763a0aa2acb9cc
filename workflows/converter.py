"""The payload converter of every client, worker and replayer here: pydantic models, and a plain error for bad ones.

A payload that cannot be read (a start or an answer of another release) ends no run: its task fails until a release
reads it, as with everything that nobody foresaw (`unforeseen.py`). A bad update is refused to its sender. The error
names the fields, without their values.
"""

from typing import Any

import pydantic
from temporalio.api.common.v1 import Payload
from temporalio.contrib.pydantic import PydanticJSONPlainPayloadConverter
from temporalio.converter import (
    CompositePayloadConverter,
    DataConverter,
    DefaultPayloadConverter,
    JSONPlainPayloadConverter,
)


class Unreadable(Exception):
    """Another model was expected. None of the engine's own failures: one of those would end the run."""


class StrictJson(PydanticJSONPlainPayloadConverter):
    def from_payload(self, payload: Payload, type_hint: type | None = None) -> Any:
        try:
            return super().from_payload(payload, type_hint)
        except pydantic.ValidationError as err:
            parts = (f"{'.'.join(map(str, error['loc'])) or 'it'}: {error['msg']}" for error in err.errors())
            raise Unreadable(f"{err.title} cannot be read: {'; '.join(parts)}") from None


class StrictPayloadConverter(CompositePayloadConverter):
    def __init__(self) -> None:
        stock = DefaultPayloadConverter.default_encoding_payload_converters
        super().__init__(*(StrictJson() if isinstance(c, JSONPlainPayloadConverter) else c for c in stock))


data_converter = DataConverter(payload_converter_class=StrictPayloadConverter)
