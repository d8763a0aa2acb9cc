"""`/query` and `/queryAll`: the first page, and the pages behind a locator (contract section 6)."""

import re
from datetime import timedelta

from sandbox.salesforce import ids, values
from sandbox.salesforce.errors import SalesforceError
from sandbox.salesforce.org import VENDOR, Org
from sandbox.salesforce.rest_records import no_method
from sandbox.salesforce.schema import Doc
from sandbox.salesforce.soql_parse import malformed, parse
from sandbox.salesforce.soql_run import Run
from sandbox.salesforce.wire import Call, Reply

PAGE, LEAST_PAGE = 2000, 200
PAGE_WITH_CHILDREN = 500  # the vendor shortens pages with sub-selects; by how much is its own affair
LOCATOR_PREFIX = "01g"
LOCATORS_KEPT = 10
LOCATOR_LIFE = timedelta(days=2)


def handle(org: Org, call: Call, deleted: bool) -> Reply:
    """`call.path` begins after `query` or `queryAll`."""
    if call.method not in ("GET", "HEAD"):
        raise no_method(call, "GET,HEAD")
    if call.path:
        return _next(org, call, "/".join(call.path))
    text = call.query.get("q", "")
    if not text.strip():
        raise malformed("A query string has to be specified")
    run = Run(org, parse(text), call.root, deleted)
    if run.counts_only:
        return Reply(200, {"totalSize": run.count(), "done": True, "records": []})
    if run.aggregates:
        groups = run.grouped()
        if len(groups) > PAGE:
            raise SalesforceError("EXCEEDED_ID_LIMIT", "Aggregate query does not support queryMore(), use LIMIT")
        return Reply(200, {"totalSize": len(groups), "done": True, "records": groups})
    rows = run.rows()
    size = _page_size(call, run)
    if len(rows) <= size:
        return Reply(200, {"totalSize": len(rows), "done": True, "records": run.shown(rows)})
    locator = ids.make(LOCATOR_PREFIX, org.store.number(f"{VENDOR}.~locators"))
    kept = org.store.table(f"{VENDOR}.~locators")
    found = [row["Id"] for row in rows]
    kept.put(locator, {"soql": text, "ids": found, "size": size, "deleted": deleted, "at": values.stamp(org.now())})
    for old in list(kept)[:-LOCATORS_KEPT]:
        kept.delete(old)
    return Reply(200, _page(call, run, rows[:size], len(rows), locator, size))


def _page_size(call: Call, run: Run) -> int:
    match = re.search(r"batchSize\s*=\s*(\d+)", call.headers.get("sforce-query-options", ""), re.IGNORECASE)
    if match:
        return min(max(int(match.group(1)), LEAST_PAGE), PAGE)
    return PAGE_WITH_CHILDREN if run.has_children else PAGE


def _page(call: Call, run: Run, rows: list[Doc], total: int, locator: str, reached: int) -> Doc:
    done = reached >= total
    more = {} if done else {"nextRecordsUrl": f"{call.root}/query/{locator}-{reached}"}
    return {"totalSize": total, "done": done} | more | {"records": run.shown(rows)}


def _next(org: Org, call: Call, cursor: str) -> Reply:
    locator, _, start = cursor.partition("-")
    kept = org.store.table(f"{VENDOR}.~locators").get(ids.normal(locator) or "")
    if kept is None or not start.isdigit() or org.now() - values.moment(kept["at"]) > LOCATOR_LIFE:
        raise SalesforceError("INVALID_QUERY_LOCATOR", "invalid query locator")
    run = Run(org, parse(kept["soql"]), call.root, kept["deleted"])
    reached = min(int(start) + kept["size"], len(kept["ids"]))
    live, gone = org.table(run.object.name), org.deleted_table(run.object.name)
    # The first page fixed the list of rows; their contents are read when a page is, and deleted ones fall out.
    stored = [
        live.get(key) or (gone.get(key) if kept["deleted"] else None) for key in kept["ids"][int(start) : reached]
    ]
    rows = [org.row(run.object, row) for row in stored if row is not None]
    return Reply(200, _page(call, run, rows, len(kept["ids"]), locator, reached))
