"""The OpenAPI document, and a page that shows it without loading anything from elsewhere."""

import json
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, FastAPI, Request
from fastapi.openapi.utils import get_openapi
from fastapi.responses import Response
from pydantic.json_schema import models_json_schema

from api.backing import Base
from api.bulk import RetryBody
from api.endpoints import PauseBody, ResumeBody
from api.examples import ERROR_EXAMPLES
from api.goods import TransferBody
from api.orders import CancelBody
from api.pages import CSS, page
from api.parked import DecisionBody, ReassignBody
from api.quarantine import ReleaseBody
from api.reconciliations import ReconciliationBody
from api.stuck import StuckBody
from commerce.order import Order

router = APIRouter(include_in_schema=False)
REF = "#/components/schemas/{model}"
_METHODS = ("get", "post", "put", "patch", "delete")
# FastAPI names its own shape for 422; ours is the one of every refusal.
_FOREIGN = ("HTTPValidationError", "ValidationError")


def describe(app: FastAPI) -> dict[str, Any]:
    """The document with the schemas of the bodies, which our own reader reads (numbers as Decimal). Made once."""
    if app.openapi_schema is None:
        document = get_openapi(
            title=app.title,
            version=app.version,
            summary=app.summary,
            description=app.description,
            routes=app.routes,
            tags=app.openapi_tags,
        )
        known: dict[str, Any] = document["components"]["schemas"]
        bodies = [
            (model, "validation")
            for model in (
                Order,
                DecisionBody,
                ReassignBody,
                RetryBody,
                ReleaseBody,
                CancelBody,
                TransferBody,
                StuckBody,
                PauseBody,
                ResumeBody,
                ReconciliationBody,
            )
        ]
        _, schemas = models_json_schema(bodies, ref_template=REF)  # type: ignore[arg-type]
        for name, schema in schemas["$defs"].items():
            known.setdefault(name, schema)
        for name in _FOREIGN:
            known.pop(name, None)
        for _, _, operation in _operations(document):
            _complete(operation)
        app.openapi_schema = document
    return app.openapi_schema


def _complete(operation: dict[str, Any]) -> None:
    """Our shape of refusals, also for those that every address can answer, with a real example for each."""
    refusals = dict.fromkeys(("401", "403"), "No token, or one that may not") if operation.get("security") else {}
    responses = operation["responses"]
    for status, text in refusals.items():
        responses.setdefault(status, {"description": text})
    for status, response in responses.items():
        if not status.startswith("2") and status != "303" and "Readiness" not in json.dumps(response):
            content: dict[str, Any] = {"schema": {"$ref": REF.format(model="ErrorAnswer")}}
            if status in ERROR_EXAMPLES:
                content["example"] = ERROR_EXAMPLES[status]
            response["content"] = {"application/json": content}


def _operations(document: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    return [
        (method.upper(), path, item[method])
        for path, item in document["paths"].items()
        for method in _METHODS
        if method in item
    ]


# ---- the page --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Field:
    name: str
    kind: str
    required: bool
    text: str


@dataclass(frozen=True)
class Operation:
    anchor: str
    method: str
    path: str
    summary: str
    text: str
    secured: bool
    parameters: list[Field]
    body: str
    examples: list[tuple[str, str]]
    answers: list[tuple[str, str, str, str]]  # status, text, name of the schema, example
    curl: str


@dataclass(frozen=True)
class Schema:
    name: str
    text: str
    values: list[str]
    fields: list[Field]


@router.get("/docs")
async def reference(request: Request, backing: Base) -> Response:
    """Addresses, bodies and answers, each with an example and a curl line."""
    document = request.app.openapi()
    groups = [
        (tag["name"], tag["description"], _tagged(document, tag["name"], backing.public_url))
        for tag in document["tags"]
    ]
    schemas = [_schema(name, schema) for name, schema in sorted(document["components"]["schemas"].items())]
    return page("reference.html", document=document, groups=groups, schemas=schemas)


@router.get("/static/holdfast.css")
async def css() -> Response:
    """The one style sheet of all pages."""
    return Response(CSS, media_type="text/css", headers={"Cache-Control": "max-age=300"})


def _tagged(document: dict[str, Any], tag: str, url: str) -> list[Operation]:
    return [_operation(*found, url) for found in _operations(document) if tag in found[2].get("tags", [])]


def _operation(method: str, path: str, data: dict[str, Any], url: str) -> Operation:
    content = data.get("requestBody", {}).get("content", {}).get("application/json", {})
    examples = [(name, _pretty(item["value"])) for name, item in content.get("examples", {}).items()]
    secured = bool(data.get("security"))
    return Operation(
        anchor=data["operationId"],
        method=method,
        path=path.replace(":path}", "}"),
        summary=data.get("summary", ""),
        text=data.get("description", ""),
        secured=secured,
        parameters=[
            Field(p["name"], _kind(p["schema"]), p.get("required", False), p.get("description", f"in {p['in']}"))
            for p in data.get("parameters", [])
        ],
        body=_kind(content.get("schema", {})) if content else "",
        examples=examples,
        answers=[_answer(status, response) for status, response in sorted(data["responses"].items())],
        curl=_curl(method, f"{url}{path}", secured, bool(content)),
    )


def _answer(status: str, response: dict[str, Any]) -> tuple[str, str, str, str]:
    content = response.get("content", {}).get("application/json", {})
    example = _pretty(content["example"]) if "example" in content else ""
    return status, response.get("description", ""), _kind(content.get("schema", {})), example


def _curl(method: str, url: str, secured: bool, has_body: bool) -> str:
    parts = ["curl -sS"]
    if method != "GET":
        parts.append(f"-X {method}")
    parts.append(f"'{url}'")
    if secured:
        parts.append('-H "Authorization: Bearer $TOKEN"')
    if has_body:
        parts.append("-H 'Content-Type: application/json' --data @body.json")
    return " ".join(parts)


def _schema(name: str, data: dict[str, Any]) -> Schema:
    required = data.get("required", [])
    fields = [
        Field(field, _kind(schema), field in required, _text(schema))
        for field, schema in data.get("properties", {}).items()
    ]
    return Schema(name, data.get("description", ""), [str(value) for value in data.get("enum", [])], fields)


def _kind(schema: dict[str, Any]) -> str:
    """A schema in a word or two: `Money or null`, `list of Line`."""
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(_kind(option) for option in schema["anyOf"]))
    if "enum" in schema:
        return " | ".join(json.dumps(value) for value in schema["enum"])
    if "const" in schema:
        return json.dumps(schema["const"])
    if schema.get("type") == "array":
        return f"list of {_kind(schema.get('items', {}))}"
    kind = str(schema.get("type", "anything"))
    named = {"date-time": "time with zone"}.get(schema.get("format", ""))
    return named or kind


def _text(schema: dict[str, Any]) -> str:
    """The description, and the limits that a sender has to keep."""
    said = [schema["description"]] if "description" in schema else []
    limits = {
        "maxLength": "at most {} characters",
        "pattern": "matches {}",
        "maximum": "at most {}",
        "minimum": "at least {}",
    }
    said += [text.format(schema[name]) for name, text in limits.items() if name in schema]
    if schema.get("default") not in (None, "", [], {}):
        said.append(f"default {json.dumps(schema['default'])}")
    return "; ".join(said)


def _pretty(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)
