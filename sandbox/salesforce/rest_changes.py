"""The polling feeds: which rows of an object changed or vanished inside a window (contract section 9)."""

from datetime import datetime, timedelta

from sandbox.salesforce import values
from sandbox.salesforce.errors import SalesforceError
from sandbox.salesforce.org import Org
from sandbox.salesforce.schema import Described
from sandbox.salesforce.wire import Call, Reply

DAYS_BACK = timedelta(days=30)
MOST_IDS = 600_000


def updated(org: Org, call: Call, described: Described) -> Reply:
    start, end = _window(org, call)
    found = [row["Id"] for row in org.table(described.name).values() if _inside(row["SystemModstamp"], start, end)]
    if len(found) > MOST_IDS:
        raise SalesforceError("EXCEEDED_ID_LIMIT", "too many ids; ask for a smaller window")
    return Reply(200, {"ids": found, "latestDateCovered": values.stamp(min(end, org.now()))})


def deleted(org: Org, call: Call, described: Described) -> Reply:
    start, end = _window(org, call)
    rows = [row for row in org.deleted_table(described.name).values() if _inside(row["SystemModstamp"], start, end)]
    return Reply(
        200,
        {
            "deletedRecords": [{"id": row["Id"], "deletedDate": row["SystemModstamp"]} for row in rows],
            "earliestDateAvailable": values.stamp(org.now() - DAYS_BACK),
            "latestDateCovered": values.stamp(min(end, org.now())),
        },
    )


def _inside(stamp: str, start: datetime, end: datetime) -> bool:
    return values.stamp(start) <= stamp < values.stamp(end)


def _window(org: Org, call: Call) -> tuple[datetime, datetime]:
    """Start and end, to the whole minute; raises INVALID_REPLICATION_DATE for a window that cannot be served."""
    try:
        # An unescaped plus sign of the offset arrives as a space.
        start, end = (
            values.moment(call.query[name].replace(" ", "+")).replace(second=0, microsecond=0)
            for name in ("start", "end")
        )
    except (KeyError, ValueError) as err:
        raise SalesforceError("INVALID_REPLICATION_DATE", f"start and end are needed as ISO 8601: {err}") from err
    if start < org.now() - DAYS_BACK:
        raise SalesforceError("INVALID_REPLICATION_DATE", "startDate before org's earliest date: 30 days ago")
    if end <= start or end - start < timedelta(minutes=1):
        raise SalesforceError("INVALID_REPLICATION_DATE", "endDate must be at least one minute after startDate")
    return start, end
