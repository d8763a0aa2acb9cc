"""Several calls in one: composite, graph and batch (contract section 7)."""

import re
from collections.abc import Callable
from typing import Any

from sandbox.salesforce.errors import SalesforceError
from sandbox.salesforce.org import Org
from sandbox.salesforce.schema import Doc
from sandbox.salesforce.wire import ROOT, Call, Reply, refused

Sub = Callable[[Call, str, str, Any, dict[str, str]], Reply]

MOST_CALLS, MOST_QUERIES = 25, 5
MOST_GRAPHS, MOST_NODES, MOST_DEPTH, MOST_TYPES, MOST_FAILURES = 75, 500, 15, 15, 14
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
REFERENCE = re.compile(r"@\{([A-Za-z_]\w*)((?:\.\w+|\[\w+\])+)\}")
STEP = re.compile(r"\.(\w+)|\[(\w+)\]")
HALTED = "The transaction was rolled back since another operation in the same transaction failed."


class _Stop(Exception):
    """Undo what the calls of a transaction did; their replies are known."""


def _limit(message: str) -> SalesforceError:
    return SalesforceError("LIMIT_EXCEEDED", message)


def composite(org: Org, sub: Sub, call: Call) -> Reply:
    body = call.body()
    calls = _calls(body.get("compositeRequest"), "compositeRequest")
    if len(calls) > MOST_CALLS:
        raise _limit(f"The number of subrequests cannot exceed {MOST_CALLS}")
    if sum(_is_heavy(entry["url"]) for entry in calls) > MOST_QUERIES:
        raise _limit(f"The number of query and collection subrequests cannot exceed {MOST_QUERIES}")
    replies = _transaction(org, sub, call, calls, body.get("allOrNone") is True)
    return Reply(200, {"compositeResponse": replies})


def _is_heavy(url: str) -> bool:
    path = re.sub(rf"^{ROOT}/v\d+\.0", "", url)
    return path.startswith(("/query", "/composite/sobjects"))


def _calls(value: Any, name: str) -> list[Doc]:
    """The sub-requests, checked; raises the envelope's own refusal, before anything is carried out."""
    if not isinstance(value, list) or not value:
        raise SalesforceError("JSON_PARSER_ERROR", f"{name} is missing or empty")
    seen: set[str] = set()
    for entry in value:
        if not isinstance(entry, dict) or not all(
            isinstance(entry.get(k), str) for k in ("method", "url", "referenceId")
        ):
            raise SalesforceError("JSON_PARSER_ERROR", "a subrequest needs method, url and referenceId")
        unknown = set(entry) - {"method", "url", "referenceId", "body", "httpHeaders"}
        if unknown:
            raise SalesforceError("JSON_PARSER_ERROR", f'Unrecognized field "{sorted(unknown)[0]}"')
        if entry["method"] not in METHODS:
            raise SalesforceError("JSON_PARSER_ERROR", f"method {entry['method']!r} is not one of {', '.join(METHODS)}")
        if not re.fullmatch(r"[A-Za-z]\w*", entry["referenceId"]) or entry["referenceId"] in seen:
            raise SalesforceError(
                "INVALID_INPUT", f"referenceId {entry['referenceId']!r} is not unique, or not letters, digits and _"
            )
        seen.add(entry["referenceId"])
    return value


def _transaction(org: Org, sub: Sub, call: Call, calls: list[Doc], all_or_none: bool) -> list[Doc]:
    replies: list[Doc] = []
    try:
        with org.savepoint():
            known: dict[str, Any] = {}
            for entry in calls:
                reply = _one(sub, call, entry, known)
                replies.append(_shown(entry, reply))
                if not reply.failed:
                    known[entry["referenceId"]] = reply.body
                elif all_or_none:
                    raise _Stop
    except _Stop:
        failed = len(replies) - 1
        halted = refused(SalesforceError("PROCESSING_HALTED", HALTED))
        replies = [replies[n] if n == failed else _shown(entry, halted) for n, entry in enumerate(calls)]
    return replies


def _one(sub: Sub, call: Call, entry: Doc, known: dict[str, Any]) -> Reply:
    try:
        url = _filled(entry["url"], known)
        body = _filled(entry.get("body"), known)
    except SalesforceError as err:
        return refused(err)
    headers = entry.get("httpHeaders") or {}
    return sub(call, entry["method"], str(url), body, {str(name): str(value) for name, value in headers.items()})


def _shown(entry: Doc, reply: Reply) -> Doc:
    headers = {"Location": reply.headers["location"]} if "location" in reply.headers else {}
    return {
        "body": reply.body,
        "httpHeaders": headers,
        "httpStatusCode": reply.status,
        "referenceId": entry["referenceId"],
    }


def _filled(value: Any, known: dict[str, Any]) -> Any:
    """The value with every `@{ref.field}` put in; a text that is only a reference takes the referred value's type."""
    if isinstance(value, dict):
        return {name: _filled(inner, known) for name, inner in value.items()}
    if isinstance(value, list):
        return [_filled(inner, known) for inner in value]
    if not isinstance(value, str):
        return value
    whole = REFERENCE.fullmatch(value)
    if whole:
        return _referred(whole, known)
    return REFERENCE.sub(lambda match: str(_referred(match, known)), value)


def _referred(match: re.Match[str], known: dict[str, Any]) -> Any:
    here = known.get(match.group(1))
    for step in STEP.finditer(match.group(2)):
        name = step.group(1) or step.group(2)
        if isinstance(here, list) and name.isdigit() and int(name) < len(here):
            here = here[int(name)]
        else:
            here = here.get(name) if isinstance(here, dict) else None
    if here is None:
        raise SalesforceError(
            "PROCESSING_HALTED",
            f"Invalid reference specified. No value for {match.group(1)}{match.group(2)} found in {match.group(1)}",
        )
    return here


# --- graph -----------------------------------------------------------------------------------------------------------


def graph(org: Org, sub: Sub, call: Call) -> Reply:
    graphs = call.body().get("graphs")
    if not isinstance(graphs, list) or not graphs or not all(isinstance(entry, dict) for entry in graphs):
        raise SalesforceError("JSON_PARSER_ERROR", "graphs is missing or empty")
    if len(graphs) > MOST_GRAPHS:
        raise _limit(f"The number of graphs cannot exceed {MOST_GRAPHS}")
    checked: list[tuple[str, list[Doc]]] = []
    for entry in graphs:
        name = entry.get("graphId")
        if not isinstance(name, str) or name in [other for other, _ in checked]:
            raise SalesforceError("INVALID_INPUT", f"graphId {name!r} is missing or not unique")
        checked.append((name, _graph_calls(entry)))
    if sum(len(calls) for _, calls in checked) > MOST_NODES:
        raise _limit(f"The number of nodes cannot exceed {MOST_NODES}")
    answers: list[Doc] = []
    failures = 0
    for name, calls in checked:
        if failures >= MOST_FAILURES:
            halted = refused(SalesforceError("PROCESSING_HALTED", "Too many graphs failed before this one."))
            replies = [_shown(entry, halted) for entry in calls]
        else:
            replies = _transaction(org, sub, call, calls, all_or_none=True)
        successful = all(reply["httpStatusCode"] < 300 for reply in replies)
        failures += not successful
        answers.append({"graphId": name, "graphResponse": {"compositeResponse": replies}, "isSuccessful": successful})
    return Reply(200, {"graphs": answers})


def _graph_calls(entry: Doc) -> list[Doc]:
    calls = _calls(entry.get("compositeRequest"), "compositeRequest")
    kinds: set[str] = set()
    depth: dict[str, int] = {}
    for inner in calls:
        match = re.match(rf"{ROOT}/v\d+\.0/sobjects/([^/?]+)", inner["url"])
        if match is None:
            raise SalesforceError("INVALID_INPUT", f"only sObject resources are allowed in a graph: {inner['url']}")
        kinds.add(match.group(1).lower())
        used = {found.group(1) for found in REFERENCE.finditer(f"{inner['url']} {inner.get('body')}")}
        depth[inner["referenceId"]] = 1 + max((depth.get(ref, 0) for ref in used), default=0)
    if len(kinds) > MOST_TYPES:
        raise _limit(f"The number of node types in a graph cannot exceed {MOST_TYPES}")
    if max(depth.values()) > MOST_DEPTH:
        raise _limit(f"The depth of a graph cannot exceed {MOST_DEPTH}")
    return calls


# --- batch -----------------------------------------------------------------------------------------------------------


def batch(sub: Sub, call: Call) -> Reply:
    body = call.body()
    calls = body.get("batchRequests")
    if not isinstance(calls, list) or not calls:
        raise SalesforceError("JSON_PARSER_ERROR", "batchRequests is missing or empty")
    if len(calls) > MOST_CALLS:
        raise _limit(f"The number of subrequests cannot exceed {MOST_CALLS}")
    results: list[Doc] = []
    for entry in calls:
        if not isinstance(entry, dict) or not isinstance(entry.get("url"), str) or entry.get("method") not in METHODS:
            raise SalesforceError("JSON_PARSER_ERROR", "a subrequest needs method and url")
        if body.get("haltOnError") is True and any(result["statusCode"] >= 400 for result in results):
            halted = [{"errorCode": "BATCH_PROCESSING_HALTED", "message": "Batch processing halted"}]
            results.append({"statusCode": 412, "result": halted})
            continue
        url = entry["url"] if entry["url"].startswith("/") else f"{ROOT}/{entry['url']}"
        reply = sub(call, entry["method"], url, entry.get("richInput"), {})
        results.append({"statusCode": reply.status, "result": reply.body})
    return Reply(200, {"hasErrors": any(result["statusCode"] >= 400 for result in results), "results": results})
