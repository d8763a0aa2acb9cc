"""Bodies: read with a limit, numbers as Decimal, and only texts that every store of ours can hold."""

import json
from decimal import Decimal
from typing import Any, NoReturn, TypeVar

from fastapi import Request
from pydantic import BaseModel, ValidationError
from starlette.requests import ClientDisconnect

from api.errors import Refusal, invalid

LIMIT = 1024 * 1024  # bytes: an order with 500 lines has about a quarter of that
M = TypeVar("M", bound=BaseModel)


async def raw_body(request: Request, limit: int = LIMIT) -> bytes:
    """The whole body. Raises Refusal: 413 as soon as it is longer than `limit` bytes, 400 when the caller goes away."""
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > limit:
                raise Refusal(413, "too-large", f"the body has more than {limit} bytes; send a smaller one")
    except ClientDisconnect:
        raise Refusal(400, "cut-off", "the connection ended before the whole body was here; send it again") from None
    return bytes(body)


async def read_model(request: Request, model: type[M]) -> M:
    """The body as `model`. Raises Refusal (400, 413, 422)."""
    body = await raw_body(request)
    try:
        data = parse_json(body)
    except ValueError as err:
        raise Refusal(400, "not-json", f"the body is not JSON: {err}; send application/json in UTF-8") from None
    if not isinstance(data, dict):
        raise Refusal(400, "not-json", "the body is not a JSON object; send one")
    return as_model(data, model)


def as_model(data: dict[str, Any], model: type[M]) -> M:
    """Data from outside as `model`. Raises Refusal (422)."""
    _require_texts(data, "")
    try:
        return model.model_validate(data)
    except ValidationError as err:
        raise invalid(err.errors(include_url=False)) from None


def parse_json(text: str | bytes) -> Any:
    """JSON with numbers as Decimal. Raises ValueError."""
    return json.loads(text, parse_float=Decimal, parse_constant=_no_number)


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is not a number of JSON")


def _require_texts(value: Any, path: str) -> None:
    """PostgreSQL holds no NUL and UTF-8 no half of a surrogate pair: such an order could never be kept."""
    if isinstance(value, str):
        if "\x00" in value or any("\ud800" <= character <= "\udfff" for character in value):
            raise Refusal(
                422,
                "invalid",
                f"{path}: has a NUL or half a character (a lone surrogate), which no system can keep; remove it",
                field=path,
            )
    elif isinstance(value, dict):
        for name, item in value.items():
            _require_texts(name, path)
            _require_texts(item, f"{path}.{name}" if path else name)
    elif isinstance(value, list):
        for i, item in enumerate(value):
            _require_texts(item, f"{path}.{i}" if path else str(i))


def json_body(model: str, examples: dict[str, Any]) -> dict[str, Any]:
    """The part of a route's OpenAPI that its reader here does not tell FastAPI. `examples` by their summary."""
    content = {
        "schema": {"$ref": f"#/components/schemas/{model}"},
        "examples": {summary: {"summary": summary, "value": value} for summary, value in examples.items()},
    }
    return {"requestBody": {"required": True, "content": {"application/json": content}}}
