"""Up to 200 records in one call: collections with partial success, and trees (contract section 7)."""

from collections.abc import Callable, Mapping
from itertools import groupby
from typing import Any

from sandbox.salesforce.errors import SalesforceError, not_found
from sandbox.salesforce.org import Org
from sandbox.salesforce.rest_records import chosen, id_of, key_field, no_method, rendered
from sandbox.salesforce.schema import Described, Doc
from sandbox.salesforce.wire import Call, Reply

MOST_ROWS, MOST_CHUNKS = 200, 10
TREE_LEVELS, TREE_TYPES = 5, 5

Write = Callable[[], Doc]


class _Undo(Exception):
    """Undo all rows of the call; what each row would have been told is known."""


def locked(record: str = "") -> SalesforceError:
    where = f": {record}" if record else ""
    return SalesforceError(
        "UNABLE_TO_LOCK_ROW", f"unable to obtain exclusive access to this record or 1 records{where}", status=400
    )


def hit(partial: Mapping[str, Any], n: int) -> bool:
    """Does the fault `partial` strike row n? `rows` lists indexes, `every` counts from one."""
    if not partial:
        return False
    rows = partial.get("rows")
    return n in rows if rows is not None else (n + 1) % int(partial.get("every", 2)) == 0


def handle(org: Org, call: Call) -> Reply:
    """`call.path` begins after `composite/sobjects`."""
    if not call.path:
        if call.method == "POST":
            return _save(org, call, lambda row, kind: _create(org, row, kind))
        if call.method == "PATCH":
            return _save(org, call, lambda row, kind: _update(org, row, kind))
        if call.method == "DELETE":
            return _delete(org, call)
        raise no_method(call, "POST,PATCH,DELETE")
    described = org.schema(call.path[0])
    if len(call.path) == 1:
        return _read(org, call, described)
    if len(call.path) != 2:
        raise not_found()
    if call.method != "PATCH":
        raise no_method(call, "PATCH")
    key = key_field(described, call.path[1]).name
    values = [_value(row, key) for row in _records(call)[0]]
    twice = {value.lower() for value in values if value and [v.lower() for v in values if v].count(value.lower()) > 1}

    def upsert(row: Doc, kind: Described) -> Doc:
        if kind.name != described.name:
            raise SalesforceError("INVALID_TYPE", f"record is a {kind.name}, not a {described.name}")
        value = _value(row, key)
        if not value:
            raise SalesforceError("MISSING_ARGUMENT", f"{key} not specified")
        if value.lower() in twice:
            raise SalesforceError("DUPLICATE_VALUE", f"Duplicate external id specified: {value}", (key,))
        rest = {name: given for name, given in row.items() if name.lower() != key.lower()}
        record_id, created = org.upsert(described.name, key, value, rest)
        return {"id": record_id, "success": True, "errors": [], "created": created}

    return _save(org, call, upsert)


def _value(row: Doc, name: str) -> str:
    found = next((value for key, value in row.items() if key.lower() == name.lower()), None)
    return "" if found is None else str(found).strip()


def _records(call: Call) -> tuple[list[Doc], bool]:
    body = call.body()
    records = body.get("records")
    if not isinstance(records, list) or not all(isinstance(row, dict) for row in records):
        raise SalesforceError("JSON_PARSER_ERROR", "records is missing, or is not a list of objects")
    if len(records) > MOST_ROWS:
        raise SalesforceError(
            "EXCEEDED_ID_LIMIT",
            f"record limit reached. cannot submit more than {MOST_ROWS} records into this call",
        )
    return records, body.get("allOrNone") is True


def _kind(org: Org, row: Doc) -> Described:
    attributes = row.get("attributes")
    name = attributes.get("type") if isinstance(attributes, dict) else None
    described = org.described(name) if isinstance(name, str) else None
    if described is None:
        raise SalesforceError("INVALID_TYPE", f"attributes.type of a record is missing or unknown: {name}")
    return described


def _save(org: Org, call: Call, write: Callable[[Doc, Described], Doc]) -> Reply:
    records, all_or_none = _records(call)
    kinds = [_kind(org, row) for row in records]
    if len([key for key, _ in groupby(kinds, key=lambda kind: kind.name)]) > MOST_CHUNKS:
        raise SalesforceError("INVALID_INPUT", f"records of mixed types need more than {MOST_CHUNKS} chunks")
    writes: list[Write] = [
        lambda row=row, kind=kind: write({k: v for k, v in row.items() if k != "attributes"}, kind)  # type: ignore[misc]
        for row, kind in zip(records, kinds, strict=True)
    ]
    return Reply(200, _carry_out(org, writes, all_or_none, call.partial))


def _carry_out(org: Org, writes: list[Write], all_or_none: bool, partial: Mapping[str, Any]) -> list[Doc]:
    """Every row by itself; with `all_or_none` the good rows are undone when one is refused."""
    results: list[Doc] = []
    try:
        with org.savepoint():
            for n, write in enumerate(writes):
                try:
                    with org.savepoint():
                        if hit(partial, n):
                            raise locked()
                        results.append(write())
                except SalesforceError as err:
                    results.append({"success": False, "errors": [err.row()]})
            if all_or_none and not all(result["success"] for result in results):
                raise _Undo
    except _Undo:
        rolled = SalesforceError(
            "ALL_OR_NONE_OPERATION_ROLLED_BACK", "Record rolled back because not all records were valid"
        )
        return [{"success": False, "errors": [rolled.row()]} if result["success"] else result for result in results]
    return results


def _create(org: Org, row: Doc, kind: Described) -> Doc:
    if not kind.sobject.creatable:
        raise SalesforceError("CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", f"entity type {kind.name} is not createable")
    return {"id": org.create(kind.name, row), "success": True, "errors": []}


def _update(org: Org, row: Doc, kind: Described) -> Doc:
    record_id = id_of(kind, _value(row, "Id"))
    org.update(kind.name, record_id, {name: value for name, value in row.items() if name.lower() != "id"})
    return {"id": record_id, "success": True, "errors": []}


def _delete(org: Org, call: Call) -> Reply:
    wanted = [part.strip() for part in call.query.get("ids", "").split(",") if part.strip()]
    if not wanted or len(wanted) > MOST_ROWS:
        raise SalesforceError("EXCEEDED_ID_LIMIT", f"ids is empty or has more than {MOST_ROWS} entries")

    def delete(text: str) -> Doc:
        kind = org.object_of(text)
        if kind is None:
            raise SalesforceError("MALFORMED_ID", f"malformed id {text}")
        record_id = id_of(kind, text)
        org.delete(kind.name, record_id)
        return {"id": record_id, "success": True, "errors": []}

    writes: list[Write] = [lambda text=text: delete(text) for text in wanted]  # type: ignore[misc]
    return Reply(200, _carry_out(org, writes, call.flag("allOrNone"), call.partial))


def _read(org: Org, call: Call, described: Described) -> Reply:
    if call.method == "POST":
        body = call.body()
        wanted, fields = body.get("ids"), body.get("fields")
    elif call.method in ("GET", "HEAD"):
        wanted, fields = call.query.get("ids", "").split(","), call.query.get("fields", "").split(",")
    else:
        raise no_method(call, "GET,HEAD,POST")
    if not isinstance(wanted, list) or not isinstance(fields, list) or not any(fields):
        raise SalesforceError("MISSING_ARGUMENT", "ids and fields are needed")
    columns = chosen(described, [str(name).strip() for name in fields if str(name).strip()])
    rows = [org.get(described.name, str(text).strip()) for text in wanted]
    return Reply(200, [None if row is None else rendered(call, described, row, columns) for row in rows])


# --- tree ------------------------------------------------------------------------------------------------------------


def tree(org: Org, call: Call, name: str) -> Reply:
    """Insert records with their children, all or none."""
    if call.method != "POST":
        raise no_method(call, "POST")
    described = org.schema(name)
    records, _ = _records(call)
    nodes = _nodes(org, described, records, None, 1)
    if len(nodes) > MOST_ROWS or len({kind.name for kind, _, _ in nodes}) > TREE_TYPES:
        raise SalesforceError("INVALID_INPUT", f"a tree holds at most {MOST_ROWS} records of {TREE_TYPES} types")
    references = [str(row["attributes"].get("referenceId")) for _, row, _ in nodes]
    if len(set(references)) != len(references) or "None" in references:
        raise SalesforceError("INVALID_INPUT", "every record needs a referenceId of its own")
    made: dict[str, str] = {}
    errors: list[Doc] = []
    try:
        with org.savepoint():
            for n, (kind, row, parent) in enumerate(nodes):
                reference = row["attributes"]["referenceId"]
                try:
                    if hit(call.partial, n):
                        raise locked()
                    link = {parent[0]: made[parent[1]]} if parent else {}
                    flat = {key: v for key, v in row.items() if not (isinstance(v, dict) and "records" in v)}
                    made[reference] = org.create(kind.name, flat | link)
                except SalesforceError as err:
                    errors.append({"referenceId": reference, "errors": [err.row()]})
                    raise _Undo from err
    except _Undo:
        return Reply(400, {"hasErrors": True, "results": errors})
    results = [{"referenceId": reference, "id": record_id} for reference, record_id in made.items()]
    return Reply(201, {"hasErrors": False, "results": results})


Node = tuple[Described, Doc, tuple[str, str] | None]


def _nodes(
    org: Org, described: Described, rows: list[Doc], parent: str | None, level: int, link: str = ""
) -> list[Node]:
    """The records of a tree, parents before children, each with the reference that leads to its parent."""
    if level > TREE_LEVELS:
        raise SalesforceError("INVALID_INPUT", f"a tree has at most {TREE_LEVELS} levels")
    nodes: list[Node] = []
    for row in rows:
        kind = _kind(org, row)
        if kind.name != described.name:
            raise SalesforceError("INVALID_TYPE", f"record is a {kind.name}, not a {described.name}")
        nodes.append((kind, row, (link, parent) if parent is not None else None))
        for key, value in row.items():
            if not (isinstance(value, dict) and isinstance(value.get("records"), list)):
                continue
            found = [
                (child, column)
                for child, column in org.references_to(kind.name)
                if (column.child_relationship or "").lower() == key.lower()
            ]
            if not found:
                raise SalesforceError("INVALID_FIELD", f"No such column '{key}' on sobject of type {kind.name}")
            child, column = found[0]
            reference = str(row["attributes"].get("referenceId"))
            nodes += _nodes(org, child, value["records"], reference, level + 1, column.name)
    return nodes
