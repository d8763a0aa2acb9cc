"""Bulk API 2.0: ingest jobs that save row by row, and query jobs that answer in CSV (contract section 8).

A job is worked off by a job of the org a moment after it was handed in, the way the platform does it in the background.
"""

import csv
import io
import re
from typing import Any

from sandbox.salesforce import ids, values
from sandbox.salesforce.composite_collections import hit, locked
from sandbox.salesforce.errors import SalesforceError, not_found
from sandbox.salesforce.org import USER_ID, VENDOR, Org
from sandbox.salesforce.rest_records import id_of, no_method
from sandbox.salesforce.schema import Doc
from sandbox.salesforce.soql_parse import Aggregate, Query, malformed, parse
from sandbox.salesforce.soql_run import Run
from sandbox.salesforce.wire import Call, Reply

JOB_PREFIX = "750"
OPERATIONS = ("insert", "update", "upsert", "delete", "hardDelete")
DELIMITERS = {"COMMA": ",", "SEMICOLON": ";", "TAB": "\t", "PIPE": "|", "CARET": "^", "BACKQUOTE": "`"}
FINISHED = ("JobComplete", "Failed", "Aborted")
MOST_BYTES = 150_000_000
WORK_AFTER_SECONDS = 0.2
RESULT_ROWS = 50_000


def install(org: Org) -> None:
    org.job("bulk", _work)


def _jobs(org: Org) -> Any:
    return org.store.table(f"{VENDOR}.~bulk")


def handle(org: Org, call: Call) -> Reply:
    """`call.path` begins after `jobs`."""
    kind = call.path[0].lower() if call.path else ""
    rest = call.path[1:]
    if kind not in ("ingest", "query"):
        raise not_found()
    if not rest:
        if call.method == "POST":
            return _open(org, call, kind)
        if call.method == "GET":
            records = [_info(call, job) for job in _jobs(org).where("kind", kind)]
            return Reply(200, {"done": True, "records": records, "nextRecordsUrl": None})
        raise no_method(call, "GET,POST")
    job = _jobs(org).get(ids.normal(rest[0]) or "")
    if job is None or job["kind"] != kind:
        raise not_found()
    if len(rest) == 1:
        return _job(org, call, job)
    if len(rest) == 2 and kind == "ingest" and rest[1] == "batches":
        return _upload(org, call, job)
    if len(rest) == 2 and call.method == "GET":
        if kind == "query" and rest[1] == "results":
            return _query_results(call, job)
        name = rest[1].lower()
        if kind == "ingest" and name in ("successfulresults", "failedresults", "unprocessedrecords"):
            return Reply(200, _csv(job["results"].get(name, [[]])), {"content-type": "text/csv"})
    raise not_found()


def _open(org: Org, call: Call, kind: str) -> Reply:
    body = call.body()
    operation = body.get("operation")
    now = values.stamp(org.now())
    job: Doc = {
        "id": ids.make(JOB_PREFIX, org.store.number(f"{VENDOR}.~bulk")),
        "kind": kind,
        "operation": operation,
        "createdById": USER_ID,
        "createdDate": now,
        "systemModstamp": now,
        "contentType": body.get("contentType", "CSV"),
        "lineEnding": body.get("lineEnding", "LF"),
        "columnDelimiter": body.get("columnDelimiter", "COMMA"),
        "version": call.version,
        "results": {},
    }
    if (
        job["contentType"] != "CSV"
        or job["columnDelimiter"] not in DELIMITERS
        or job["lineEnding"] not in ("LF", "CRLF")
    ):
        raise SalesforceError("INVALIDJOB", "contentType, columnDelimiter or lineEnding is not supported")
    if kind == "query":
        job |= _checked_query(org, call, body)
    else:
        described = org.described(str(body.get("object")))
        if described is None:
            raise SalesforceError("INVALIDENTITY", f"Unable to find object: {body.get('object')}")
        if operation not in OPERATIONS:
            raise SalesforceError("INVALIDJOB", f"operation {operation!r} is not one of {', '.join(OPERATIONS)}")
        key = described.field(str(body.get("externalIdFieldName")))
        if operation == "upsert" and (key is None or not (key.external_id or key.type == "id")):
            raise SalesforceError("INVALIDJOB", "externalIdFieldName is missing or not an external id")
        job |= {"object": described.name, "state": "Open", "externalIdFieldName": body.get("externalIdFieldName")}
    _jobs(org).put(job["id"], job)
    if kind == "query":
        org.schedule("bulk", WORK_AFTER_SECONDS, {"id": job["id"]})
    return Reply(200, _info(call, job))


def _checked_query(org: Org, call: Call, body: Doc) -> Doc:
    if body.get("operation") not in ("query", "queryAll"):
        raise SalesforceError("INVALIDJOB", "operation is not one of query, queryAll")
    query = parse(str(body.get("query", "")))
    if query.offset or query.group or any(isinstance(item, Query | Aggregate) for item in query.items):
        raise malformed("sub-selects, OFFSET, GROUP BY and aggregates are not supported in bulk queries")
    run = Run(org, query, call.root)
    return {"object": run.object.name, "query": body["query"], "state": "UploadComplete"}


def _info(call: Call, job: Doc) -> Doc:
    hidden = ("kind", "version", "results", "upload", "partial")
    shown = {name: value for name, value in job.items() if name not in hidden and value is not None}
    shown |= {"concurrencyMode": "Parallel", "apiVersion": job["version"]}
    if job["kind"] == "query":
        return shown | {"jobType": "V2Query"}
    return shown | {"jobType": "V2Ingest", "contentUrl": f"{call.root[1:]}/jobs/ingest/{job['id']}/batches"}


def _job(org: Org, call: Call, job: Doc) -> Reply:
    if call.method == "GET":
        return Reply(200, _info(call, job))
    if call.method == "DELETE":
        if job["state"] not in FINISHED:
            raise SalesforceError("INVALIDJOBSTATE", "the job is still open", status=409)
        _jobs(org).delete(job["id"])
        return Reply(204)
    if call.method != "PATCH":
        raise no_method(call, "GET,PATCH,DELETE")
    state = call.body().get("state")
    if state not in ("UploadComplete", "Aborted") or job["state"] in FINISHED:
        raise SalesforceError("INVALIDJOBSTATE", f"a job in state {job['state']} cannot become {state}", status=409)
    if state == "UploadComplete":
        if job["kind"] == "query" or job["state"] != "Open" or "upload" not in job:
            raise SalesforceError("INVALIDJOBSTATE", "upload the data of an open job first", status=409)
        org.schedule("bulk", WORK_AFTER_SECONDS, {"id": job["id"]})
    changed = job | {"state": state, "systemModstamp": values.stamp(org.now()), "partial": dict(call.partial)}
    _jobs(org).put(job["id"], changed)
    return Reply(200, _info(call, changed))


def _upload(org: Org, call: Call, job: Doc) -> Reply:
    if call.method != "PUT":
        raise no_method(call, "PUT")
    if call.headers.get("content-type", "").split(";")[0].strip().lower() != "text/csv":
        raise SalesforceError("UNSUPPORTED_MEDIA_TYPE", "Content type must be text/csv", status=415)
    if job["state"] != "Open" or "upload" in job:
        raise SalesforceError("INVALIDJOBSTATE", "a job takes one upload while it is open", status=409)
    content = call.content or b""
    if len(content) > MOST_BYTES:
        raise SalesforceError("FILE_TOO_LARGE", f"the upload is larger than {MOST_BYTES} bytes", status=413)
    try:
        text = content.decode()
    except UnicodeDecodeError as err:
        raise SalesforceError("INVALIDBATCH", f"the upload is not UTF-8: {err}") from err
    _jobs(org).put(job["id"], job | {"upload": text})
    return Reply(201)


# --- the work --------------------------------------------------------------------------------------------------------


def _work(org: Org, payload: Doc) -> None:
    job = _jobs(org).get(payload["id"])
    if job is None or job["state"] != "UploadComplete":
        return
    done = _query(org, job) if job["kind"] == "query" else _ingest(org, job)
    times = {"retries": 0, "totalProcessingTime": 1, "apiActiveProcessingTime": 1, "apexProcessingTime": 0}
    _jobs(org).put(job["id"], job | times | done | {"systemModstamp": values.stamp(org.now())})


def _query(org: Org, job: Doc) -> Doc:
    run = Run(org, parse(job["query"]), "", job["operation"] == "queryAll")
    names = run.column_names()
    rows = [[_cell(_dig(record, name)) for name in names] for record in run.shown(run.rows())]
    return {"state": "JobComplete", "numberRecordsProcessed": len(rows), "results": {"rows": [names, *rows]}}


def _dig(record: Doc, name: str) -> Any:
    here: Any = record
    for part in name.split("."):
        here = here.get(part) if isinstance(here, dict) else None
    return here


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else values.dumps(value).decode()


def _ingest(org: Org, job: Doc) -> Doc:
    delimiter = DELIMITERS[job["columnDelimiter"]]
    lines = list(csv.reader(io.StringIO(job["upload"], newline=""), delimiter=delimiter))
    header = lines[0] if lines else []
    good, bad = [["sf__Id", "sf__Created", *header]], [["sf__Id", "sf__Error", *header]]
    for n, line in enumerate(line for line in lines[1:] if line):
        try:
            if len(line) != len(header):
                raise SalesforceError("InvalidBatch", "the row has another number of fields than the header")
            with org.savepoint():
                if hit(job.get("partial") or {}, n):
                    raise locked()
                record_id, created = _row(org, job, dict(zip(header, line, strict=True)))
            good.append([record_id, str(created).lower(), *line])
        except SalesforceError as err:
            bad.append(["", f"{err.code}:{err.message}:{','.join(err.fields)}--", *line])
    return {
        "state": "JobComplete",
        "numberRecordsProcessed": len(good) + len(bad) - 2,
        "numberRecordsFailed": len(bad) - 1,
        "results": {"successfulresults": good, "failedresults": bad, "unprocessedrecords": [header]},
    }


def _row(org: Org, job: Doc, cells: dict[str, str]) -> tuple[str, bool]:
    described = org.schema(job["object"])
    given: Doc = {}
    for name, cell in cells.items():
        if cell == "":
            continue
        value = None if cell == "#N/A" else cell
        parent, _, key = name.partition(".")
        given[parent if key else name] = {key: value} if key else value
    record_id = next((value for name, value in given.items() if name.lower() == "id"), None)
    rest = {name: value for name, value in given.items() if name.lower() != "id"}
    operation = job["operation"]
    if operation == "insert":
        return org.create(described.name, rest), True
    if operation == "upsert":
        key = job["externalIdFieldName"]
        value = next((value for name, value in given.items() if name.lower() == key.lower()), None)
        if not value:
            raise SalesforceError("MISSING_ARGUMENT", f"{key} not specified")
        return org.upsert(described.name, key, value, {n: v for n, v in rest.items() if n.lower() != key.lower()})
    known = id_of(described, record_id)
    if operation == "update":
        org.update(described.name, known, rest)
    else:
        org.delete(described.name, known)
    return known, False


# --- results ---------------------------------------------------------------------------------------------------------


def _query_results(call: Call, job: Doc) -> Reply:
    if job["state"] != "JobComplete" or call.version != job["version"]:
        raise SalesforceError("INVALIDJOBSTATE", "the job is not complete, or has another API version", status=409)
    header, *rows = job["results"]["rows"]
    start = call.query.get("locator", "0")
    size = call.query.get("maxRecords", str(RESULT_ROWS))
    if not re.fullmatch(r"\d+", start) or not re.fullmatch(r"[1-9]\d*", size):
        raise SalesforceError("INVALID_QUERY_LOCATOR", "locator or maxRecords is not a number")
    end = int(start) + int(size)
    page = rows[int(start) : end]
    headers = {
        "content-type": "text/csv",
        "sforce-locator": str(end) if end < len(rows) else "null",
        "sforce-numberofrecords": str(len(page)),
    }
    return Reply(200, _csv([header, *page]), headers)


def _csv(rows: list[list[str]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()
