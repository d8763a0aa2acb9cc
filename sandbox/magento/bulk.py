"""Asynchronous calls: a write is accepted with 202 and carried out a moment later, one operation after another."""

import hashlib
import uuid
from decimal import Decimal
from json import loads
from typing import Any

from sandbox.kernel.store import Doc
from sandbox.magento.contract import CONTRACT, Operation, json_text, read_arguments, read_path
from sandbox.magento.criteria import search
from sandbox.magento.errors import DEADLOCK, MagentoError, no_such, refused, route_mismatch
from sandbox.magento.routing import HANDLERS, Call, Target, execute, route
from sandbox.magento.shop import Shop

COMPLETE, RETRIABLE, FAILED, OPEN, REJECTED = 1, 2, 3, 4, 5
DELAY_SECONDS = 0.3
ASYNC_LIMIT = 5000
OPERATION_COLUMNS = {"status", "start_time", "bulk_uuid", "topic_name", "id"}


def find_operation(method: str, target: Target) -> tuple[Operation, dict[str, str]]:
    """The operation behind an asynchronous URL; in a bulk URL `by<Parameter>` stands for a path variable."""
    if method not in ("POST", "PUT", "DELETE"):
        raise route_mismatch()
    found = CONTRACT.match(method, target.segments) if target.mode == "async" else _match_bulk(method, target.segments)
    if found is None or (found[0].method, found[0].path) not in HANDLERS:
        raise route_mismatch()
    return found


def _match_bulk(method: str, segments: list[str]) -> tuple[Operation, dict[str, str]] | None:
    for operation in CONTRACT.operations:
        parts = operation.path.strip("/").split("/")
        if operation.method != method or len(parts) != len(segments):
            continue
        wanted = [f"by{part[1:-1]}".lower() if part.startswith("{") else part for part in parts]
        given = [
            segment.lower() if part.startswith("{") else segment for part, segment in zip(parts, segments, strict=True)
        ]
        if wanted == given:
            return operation, {}
    return None


def accept(shop: Shop, operation: Operation, variables: dict[str, str], target: Target, body: Any, partial: Any) -> Doc:
    """Queue the elements; one that cannot be read is rejected and the others go on."""
    elements = body if target.mode == "bulk" else [body]
    if not isinstance(elements, list):
        raise refused("Request body must be an array")
    if shop.settings["input_limits"] and len(elements) > ASYNC_LIMIT:
        error = refused('Maximum items of type "%type" is %max')
        error.parameters = {"type": "bulk", "max": ASYNC_LIMIT}
        raise error
    bulk_id = str(uuid.uuid4())
    operations: list[Doc] = []
    answers: list[Doc] = []
    for number, element in enumerate(elements):
        entry = {"id": number, "status": OPEN, "result_message": "", "error_code": None, "_element": element}
        entry["_variables"] = variables or _variables(operation, element)
        answer: Doc = {"id": number, "data_hash": hashlib.md5(json_text(element).encode()).hexdigest()}
        try:
            read_arguments(operation, element)
            answer["status"] = "accepted"
        except MagentoError as error:
            entry |= {"status": REJECTED, "result_message": rendered(error), "error_code": error.status}
            answer |= {"status": "rejected", "error_message": rendered(error)}
        operations.append(entry)
        answers.append(answer)
    doc = {
        "bulk_id": bulk_id,
        "description": f"Topic {topic(operation)}",
        "start_time": shop.stamp(),
        "user_id": 1,
        "user_type": 2,
        "operation_count": len(operations),
        "_operations": operations,
        "_route": [operation.method, operation.path],
        "_store_id": target.store_id,
        "_partial": partial is not None,
    }
    shop.put("bulks", bulk_id, doc)
    if shop.settings["consumers_running"]:
        shop.world.schedule("magento", "bulk", DELAY_SECONDS, {"bulk": bulk_id})
    errors = any(answer["status"] == "rejected" for answer in answers)
    return {"bulk_uuid": bulk_id, "request_items": answers, "errors": errors}


def topic(operation: Operation) -> str:
    return "async." + ".".join(part.strip("{}").lower() for part in operation.path.strip("/").split("/")[1:])


def _variables(operation: Operation, element: Any) -> dict[str, str]:
    """Path variables out of an element, or out of the entity in it."""
    result = {}
    entities = [each for each in element.values() if isinstance(each, dict)] if isinstance(element, dict) else []
    for name in operation.path_types:
        for place in (element, *entities):
            if isinstance(place, dict) and name in place:
                result[name] = str(place[name])
                break
    return result


def rendered(error: MagentoError) -> str:
    """A message with its parameters filled in, as the consumer writes it."""
    pairs = error.parameters
    named = pairs if isinstance(pairs, dict) else {str(i): each for i, each in enumerate(pairs or [], 1)}
    text = error.message
    for name, value in named.items():
        text = text.replace(f"%{name}", str(value))
    return text


def run(shop: Shop, bulk_id: str) -> None:
    """What the queue's consumer does. Nothing re-runs an operation that failed, also not a retriable one."""
    doc = shop.get("bulks", bulk_id)
    if doc is None:
        return
    method, path = doc["_route"]
    operation = next(each for each in CONTRACT.operations if (each.method, each.path) == (method, path))
    done = []
    for entry in doc["_operations"]:
        if entry["status"] == OPEN:
            entry = entry | _carry_out(shop, operation, entry, doc)
        done.append(entry)
    shop.put("bulks", bulk_id, doc | {"_operations": done})


def _carry_out(shop: Shop, operation: Operation, entry: Doc, doc: Doc) -> Doc:
    if doc["_partial"] and entry["id"] % 2:
        return {"status": RETRIABLE, "result_message": DEADLOCK, "error_code": 1213}
    try:
        element = loads(json_text(entry["_element"]), parse_float=Decimal)
        variables = read_path(operation, entry["_variables"])
        call = Call(operation, doc["_store_id"], variables, read_arguments(operation, element))
        result = execute(shop, call)
    except MagentoError as error:
        return {"status": FAILED, "result_message": rendered(error), "error_code": error.status}
    message = f"Service execution success {operation.path}"
    return {"status": COMPLETE, "result_message": message, "_result": json_text(result)}


def resume(shop: Shop) -> None:
    """The consumers run again: what is still open is carried out."""
    for doc in shop.table("bulks").values():
        if any(entry["status"] == OPEN for entry in doc["_operations"]):
            shop.world.schedule("magento", "bulk", DELAY_SECONDS, {"bulk": doc["bulk_id"]})


def _bulk(shop: Shop, bulk_id: str) -> Doc:
    doc = shop.get("bulks", bulk_id)
    if doc is None:
        raise no_such("bulkUuid", bulk_id)
    return doc


@route("GET", "/V1/bulk/{bulkUuid}/status")
def status(shop: Shop, call: Call) -> Any:
    doc = _bulk(shop, call.path["bulk_uuid"])
    return doc | {"operations_list": doc["_operations"]}


def _detailed(doc: Doc) -> list[Doc]:
    method, path = doc["_route"]
    operation = next(each for each in CONTRACT.operations if (each.method, each.path) == (method, path))
    return [
        entry
        | {
            "bulk_uuid": doc["bulk_id"],
            "topic_name": topic(operation),
            "serialized_data": json_text(entry["_element"]),
            "result_serialized_data": entry.get("_result"),
            "start_time": doc["start_time"],
        }
        for entry in doc["_operations"]
    ]


@route("GET", "/V1/bulk/{bulkUuid}/detailed-status")
def detailed_status(shop: Shop, call: Call) -> Any:
    doc = _bulk(shop, call.path["bulk_uuid"])
    return doc | {"operations_list": [_without_time(entry) for entry in _detailed(doc)]}


def _without_time(entry: Doc) -> Doc:
    return {name: value for name, value in entry.items() if name != "start_time"}


@route("GET", "/V1/bulk/{bulkUuid}/operation-status/{status}")
def count(shop: Shop, call: Call) -> Any:
    operations = _bulk(shop, call.path["bulk_uuid"])["_operations"]
    return sum(1 for entry in operations if entry["status"] == call.path["status"])


@route("GET", "/V1/bulk")
def find(shop: Shop, call: Call) -> Any:
    operations = [entry for doc in shop.table("bulks").values() for entry in _detailed(doc)]
    found = search(shop, operations, call.criteria(shop), OPERATION_COLUMNS)
    return found | {"items": [_without_time(entry) for entry in found["items"]]}
