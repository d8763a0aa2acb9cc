"""Single records: create, read, change, delete, by id or by external id (contract section 5)."""

import hashlib
import json
from datetime import datetime
from email.utils import format_datetime, parsedate_to_datetime
from typing import Any

from sandbox.salesforce import describe, ids, values
from sandbox.salesforce.errors import SalesforceError, not_found
from sandbox.salesforce.org import Org
from sandbox.salesforce.rest_changes import deleted, updated
from sandbox.salesforce.schema import Described, Doc, Field
from sandbox.salesforce.wire import Call, Reply

METHOD = "HTTP Method '{}' not allowed. Allowed are {}"


def no_method(call: Call, allowed: str) -> SalesforceError:
    return SalesforceError("METHOD_NOT_ALLOWED", METHOD.format(call.method, allowed), status=405)


def handle(org: Org, call: Call) -> Reply:
    """`/sobjects/...`; `call.path` begins after `sobjects`."""
    if not call.path:
        if call.method not in ("GET", "HEAD"):
            raise no_method(call, "GET,HEAD")
        listed = [describe.summary(org.schema(name).sobject, call.root) for name in org.object_names()]
        return Reply(200, {"encoding": "UTF-8", "maxBatchSize": 200, "sobjects": listed})
    described = org.schema(call.path[0])
    rest = call.path[1:]
    if not rest:
        return _collection(org, call, described)
    if len(rest) == 1 and rest[0] in ("describe", "updated", "deleted"):
        if call.method not in ("GET", "HEAD"):
            raise no_method(call, "GET,HEAD")
        if rest[0] == "describe":
            return Reply(200, describe.full(org, described, call.root))
        return (updated if rest[0] == "updated" else deleted)(org, call, described)
    if len(rest) == 1:
        return _row(org, call, described, rest[0])
    if len(rest) == 2:
        return _keyed(org, call, described, rest[0], rest[1])
    raise not_found()


def _collection(org: Org, call: Call, described: Described) -> Reply:
    if call.method == "POST":
        return created(call, described, _create(org, described, call.body()))
    if call.method in ("GET", "HEAD"):
        return Reply(200, {"objectDescribe": describe.summary(described.sobject, call.root), "recentItems": []})
    raise no_method(call, "GET,HEAD,POST")


def _create(org: Org, described: Described, body: Doc) -> str:
    if not described.sobject.creatable:
        raise SalesforceError("CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", f"entity type {described.name} is not createable")
    return org.create(described.name, body)


def created(call: Call, described: Described, record_id: str, **more: Any) -> Reply:
    body = {"id": record_id, "success": True, "errors": []} | more
    return Reply(201, body, {"location": f"{call.root}/sobjects/{described.name}/{record_id}"})


def _row(org: Org, call: Call, described: Described, record_id: str) -> Reply:
    if call.method in ("GET", "HEAD"):
        return _read(call, described, org.existing(described, record_id))
    if call.method == "PATCH":
        body = call.body()
        _check_unchanged(call, described, org.existing(described, record_id))
        org.update(described.name, record_id, body)
        return Reply(204)
    if call.method == "DELETE":
        org.delete(described.name, record_id)
        return Reply(204)
    raise no_method(call, "GET,HEAD,PATCH,DELETE")


def key_field(described: Described, name: str) -> Field:
    """The external-id field of that name (or Id); raises the 404 of contract 5.1."""
    column = described.field(name)
    if column is None or not (column.external_id or column.type == "id"):
        raise not_found("Provided external ID field does not exist or is not accessible: " + name)
    return column


def _keyed(org: Org, call: Call, described: Described, field: str, value: str) -> Reply:
    column = key_field(described, field)
    found = org.find_stored(described, column.name, value) if value.strip() else []
    if len(found) > 1:
        return Reply(300, [f"{call.root}/sobjects/{described.name}/{row['Id']}" for row in found])
    if call.method == "PATCH":
        return _upsert(org, call, described, column, value, found[0]["Id"] if found else None)
    if not found:
        raise not_found()
    if call.method in ("GET", "HEAD"):
        return _read(call, described, org.row(described, found[0]))
    if call.method == "DELETE":
        org.delete(described.name, found[0]["Id"])
        return Reply(204)
    raise no_method(call, "GET,HEAD,PATCH,DELETE")


def _upsert(org: Org, call: Call, described: Described, column: Field, value: str, found: str | None) -> Reply:
    body = call.body()
    for name in body:
        if name.lower() in ("id", column.name.lower()):
            raise SalesforceError(
                "INVALID_FIELD", f"The {column.name} field should not be specified in the sobject data.", (name,)
            )
    if found is not None:
        _check_unchanged(call, described, org.existing(described, found))
        org.update(described.name, found, body)
        return Reply(200, {"id": found, "success": True, "errors": [], "created": False})
    if call.flag("updateOnly") or column.type == "id" or not value.strip():
        raise not_found()
    return created(call, described, _create(org, described, body | {column.name: value}), created=True)


def rendered(call: Call, described: Described, row: Doc, columns: tuple[Field, ...]) -> Doc:
    """A row on the wire, with its `attributes`."""
    url = f"{call.root}/sobjects/{described.name}/{row['Id']}"
    return {"attributes": {"type": described.name, "url": url}} | {c.name: row[c.name] for c in columns}


def chosen(described: Described, names: list[str]) -> tuple[Field, ...]:
    """The fields of those names; raises INVALID_FIELD for an unknown one."""
    columns = []
    for name in names:
        column = described.field(name)
        if column is None:
            raise SalesforceError("INVALID_FIELD", f"No such column '{name}' on sobject of type {described.name}")
        columns.append(column)
    return tuple(columns)


def _read(call: Call, described: Described, row: Doc) -> Reply:
    changed = values.moment(row["LastModifiedDate"])
    headers = {"last-modified": format_datetime(changed, usegmt=True)}
    if described.name == "Account":
        headers["etag"] = _etag(row)
        known = call.headers.get("if-none-match")
        if known is not None and _matches(known, row):
            return Reply(304, headers=headers)
    since = _date(call.headers.get("if-modified-since"))
    if since is not None and changed <= since:
        return Reply(304, headers=headers)
    asked = call.query.get("fields")
    if asked is None:
        return Reply(200, rendered(call, described, row, described.fields), headers)
    names = [name.strip() for name in asked.split(",") if name.strip()]
    columns = chosen(described, names)
    if not any(column.name == "Id" for column in columns):
        columns = (*columns, described.fields[0])
    return Reply(200, rendered(call, described, row, columns), headers)


def _etag(row: Doc) -> str:
    content = json.dumps(row, default=str, sort_keys=True).encode()
    return f'"{hashlib.sha256(content).hexdigest()[:24]}"'


def _matches(header: str, row: Doc) -> bool:
    tags = [tag.strip().removeprefix("W/") for tag in header.split(",")]
    return "*" in tags or _etag(row) in [tag.removesuffix('--gzip"') + '"' if "--gzip" in tag else tag for tag in tags]


def _check_unchanged(call: Call, described: Described, row: Doc) -> None:
    """Conditions on a write: 412 when the row moved on, 400 when the condition cannot be read (contract 5.2)."""
    if described.name == "Account":
        wanted, unwanted = call.headers.get("if-match"), call.headers.get("if-none-match")
        for header in (wanted, unwanted):
            if header is not None and header != "*" and '"' not in header:
                raise SalesforceError("INVALID_HEADER", f"Malformed entity tag: {header}")
        if (wanted is not None and not _matches(wanted, row)) or (unwanted is not None and _matches(unwanted, row)):
            raise SalesforceError("PRECONDITION_FAILED", "The record does not match the condition", status=412)
    header = call.headers.get("if-unmodified-since")
    if header is not None:
        limit = _date(header)
        if limit is None:
            raise SalesforceError("INVALID_HEADER", f"Malformed date: {header}")
        if values.moment(row["LastModifiedDate"]) > limit:
            raise SalesforceError("PRECONDITION_FAILED", "The record was changed since", status=412)


def _date(header: str | None) -> datetime | None:
    """An HTTP date, or None; reads ignore what they cannot understand."""
    if header is None:
        return None
    try:
        return parsedate_to_datetime(header)
    except ValueError:
        return None


def id_of(described: Described, value: Any) -> str:
    """An id in a batch body; raises MALFORMED_ID."""
    known = ids.normal(value)
    if known is None or not known.startswith(described.sobject.prefix):
        raise SalesforceError("MALFORMED_ID", f"malformed id {value}", ("Id",))
    return known
