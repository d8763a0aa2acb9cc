"""Doors to package logic: invocable Apex under `/actions`, and Apex REST."""

from typing import Any

from sandbox.salesforce import wire
from sandbox.salesforce.errors import SalesforceError, not_found
from sandbox.salesforce.org import Org
from sandbox.salesforce.rest_records import no_method
from sandbox.salesforce.wire import Call, Reply


def handle(org: Org, call: Call) -> Reply:
    """`call.path` begins after `actions`."""
    if call.path == ("custom", "apex"):
        listed = [
            {"name": name, "type": "APEX", "url": f"{call.root}/actions/custom/apex/{name}"} for name in org.actions
        ]
        return Reply(200, {"actions": listed})
    action = (
        org.actions.get(call.path[2].lower()) if call.path[:2] == ("custom", "apex") and len(call.path) == 3 else None
    )
    if action is None:
        raise not_found()
    if call.method != "POST":
        raise no_method(call, "POST")
    inputs = call.body().get("inputs")
    if not isinstance(inputs, list) or not inputs or not all(isinstance(entry, dict) for entry in inputs):
        raise SalesforceError("INVALID_INPUT", "inputs is missing, or is not a list of objects")
    name = call.path[2]
    try:
        with org.savepoint():
            outputs = action(org, inputs)
    except SalesforceError as err:
        return Reply(err.status, [_result(name, [err.row()], None) for _ in inputs])
    return Reply(200, [_result(name, None, output) for output in outputs])


def _result(name: str, errors: list[Any] | None, output: Any) -> dict[str, Any]:
    return {"actionName": name, "errors": errors, "isSuccess": errors is None, "outputValues": output}


def apexrest(org: Org, call: Call) -> Reply:
    """`/services/apexrest/{path}`; `call.path` begins after `apexrest`."""
    handler = org.apexrests.get("/".join(call.path).lower())
    if handler is None:
        raise SalesforceError("NOT_FOUND", "Could not find a match for URL", status=404)
    try:
        with org.savepoint():
            status, body = handler(org, call.method, call.json() if call.content else None)
    except SalesforceError as err:
        return wire.refused(err)
    return Reply(status, body)
