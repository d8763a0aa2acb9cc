"""The payload converter of every client, worker and replayer here: pydantic models, and a clean failure for bad ones.

With the stock converter a payload that pydantic rejects wedges the workflow: its task fails and is retried for ever
while the status stays Running. This one turns it into a final failure that names the fields, without their values.
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
    create_payload_validation_error,
)


class StrictJson(PydanticJSONPlainPayloadConverter):
    def from_payload(self, payload: Payload, type_hint: type | None = None) -> Any:
        try:
            return super().from_payload(payload, type_hint)
        except pydantic.ValidationError as err:
            raise create_payload_validation_error(err.errors(include_url=False, include_input=False)) from None


class StrictPayloadConverter(CompositePayloadConverter):
    def __init__(self) -> None:
        stock = DefaultPayloadConverter.default_encoding_payload_converters
        super().__init__(*(StrictJson() if isinstance(c, JSONPlainPayloadConverter) else c for c in stock))


data_converter = DataConverter(payload_converter_class=StrictPayloadConverter)
