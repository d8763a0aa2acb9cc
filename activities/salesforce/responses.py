"""What each answer of a Salesforce org means for the caller: one table, read from the top, the last row parks.

Sources of codes: REST API Developer Guide, status codes and error responses. A code that the table does not know
waits for a person; it is never taken for a success and never repeated blindly.
"""

import re
from typing import Any, NamedTuple

import httpx2

from activities.http import retry_after
from commerce.failures import Family, SystemFailure

ANY = range(100, 600)
_T, _U, _D, _R, _P, _B = (
    Family.TRANSIENT,
    Family.OUTCOME_UNKNOWN,
    Family.ALREADY_DONE,
    Family.REJECTED,
    Family.NEEDS_PERSON,
    Family.BUG,
)
# Not the reason of a failure: the part failed because another part of the same request did.
SECONDARY = frozenset({"PROCESSING_HALTED", "ALL_OR_NONE_OPERATION_ROLLED_BACK"})


class Row(NamedTuple):
    """`code` "" is an answer without a vendor code, None is any; `says` is text that the message must contain."""

    statuses: range
    code: str | None
    reads: Family
    writes: Family
    do_next: str
    says: str = ""
    wait_seconds: int | None = None


def only(status: int) -> range:
    return range(status, status + 1)


_BY_ITSELF = "nothing: it is repeated by itself"
_LOOKS_AGAIN = "nothing: the record is looked up by its key before anything else"
_ACCESS = "give the integration user access to the object and fields, then decide 'retry'"
_SETUP = "compare the org's objects and fields with docs/salesforce-org.md and the settings, then decide 'retry'"
_VALUE = "correct the value named and decide 'correct'"
_RULE = "clear what the org's rule asks for, then decide 'retry'"

RESPONSES: tuple[Row, ...] = (
    Row(
        ANY, "INVALID_SESSION_ID", _P, _P, "check session policy and allowed addresses of the app, then decide 'retry'"
    ),
    Row(ANY, None, _T, _T, _BY_ITSELF, says="UNABLE_TO_LOCK_ROW"),
    Row(ANY, "UNABLE_TO_LOCK_ROW", _T, _T, _BY_ITSELF),
    Row(ANY, "REQUEST_LIMIT_EXCEEDED", _T, _T, _BY_ITSELF, says="Concurrent", wait_seconds=30),
    Row(ANY, "REQUEST_LIMIT_EXCEEDED", _T, _T, "raise the org's daily API calls if this stays", wait_seconds=600),
    Row(ANY, "SERVER_UNAVAILABLE", _T, _U, _BY_ITSELF),
    Row(ANY, "UNKNOWN_EXCEPTION", _T, _U, _LOOKS_AGAIN),
    Row(ANY, "QUERY_TIMEOUT", _T, _U, _BY_ITSELF),
    Row(ANY, "INVALID_QUERY_LOCATOR", _T, _T, "nothing: the query starts again"),
    Row(
        ANY, "DUPLICATE_VALUE", _D, _D, "look at the record named; one of two records carries a key that is not its own"
    ),
    Row(ANY, "DUPLICATES_DETECTED", _P, _P, "resolve the duplicate in the org, then decide 'retry'"),
    Row(ANY, "REQUIRED_FIELD_MISSING", _R, _R, _VALUE),
    Row(ANY, "STRING_TOO_LONG", _R, _R, _VALUE),
    Row(ANY, "INVALID_EMAIL_ADDRESS", _R, _R, _VALUE),
    Row(ANY, "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", _R, _R, "add the value to the picklist or correct the setting"),
    Row(ANY, "NUMBER_OUTSIDE_VALID_RANGE", _R, _R, _VALUE),
    Row(ANY, "FIELD_INTEGRITY_EXCEPTION", _R, _R, _VALUE),
    Row(
        ANY,
        "INVALID_CROSS_REFERENCE_KEY",
        _R,
        _R,
        "check that the record referred to still exists, then decide 'retry'",
    ),
    Row(ANY, "MALFORMED_ID", _R, _R, _VALUE),
    Row(ANY, "FIELD_CUSTOM_VALIDATION_EXCEPTION", _P, _P, _RULE),
    Row(ANY, "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", _P, _P, _RULE),
    Row(ANY, "DELETE_FAILED", _P, _P, _RULE),
    Row(ANY, "INVALID_FIELD", _P, _P, _SETUP),
    Row(ANY, "INVALID_FIELD_FOR_INSERT_UPDATE", _P, _P, _SETUP),
    Row(ANY, "INVALID_TYPE", _P, _P, _SETUP),
    Row(ANY, "NOT_FOUND", _P, _P, _SETUP),
    Row(ANY, "ENTITY_IS_DELETED", _P, _P, "restore the record from the recycle bin or decide 'give-up'"),
    Row(ANY, "INSUFFICIENT_ACCESS_OR_READONLY", _P, _P, _ACCESS),
    Row(ANY, "INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY", _P, _P, _ACCESS),
    Row(ANY, "EXCEEDED_ID_LIMIT", _R, _R, "narrow the window that is asked for"),
    Row(ANY, "MALFORMED_QUERY", _B, _B, "report this, then decide 'retry'"),
    Row(ANY, "JSON_PARSER_ERROR", _B, _B, "report this, then decide 'retry'"),
    Row(ANY, "PROCESSING_HALTED", _P, _P, "look at the other parts of the request in the org, then decide 'retry'"),
    Row(
        ANY, "ALL_OR_NONE_OPERATION_ROLLED_BACK", _P, _P, "look at the other parts of the request, then decide 'retry'"
    ),
    # From here: answers by status alone.
    Row(only(300), None, _P, _P, "leave the key on one of the records only, then decide 'retry'"),
    Row(only(401), None, _P, _P, "check the credential of the app, then decide 'retry'"),
    Row(only(408), None, _T, _U, _LOOKS_AGAIN),
    Row(only(412), None, _P, _P, "the record changed meanwhile; look at it, then decide 'retry'"),
    Row(only(429), None, _T, _T, _BY_ITSELF, wait_seconds=60),
    Row(range(500, 600), None, _T, _U, _LOOKS_AGAIN),
    # A success whose body is not what the vendor sends: somebody in between answered, or the reply was cut.
    Row(range(200, 300), "", _T, _U, _LOOKS_AGAIN),
    Row(ANY, None, _P, _P, "read the answer, mend the cause in the org, then decide 'retry'"),
)

# Answers of the token endpoint: an object, unlike the data API. Nothing was written, so nothing is unknown.
TOKEN_RESPONSES: tuple[Row, ...] = (
    Row(ANY, "rate_limit_exceeded", _T, _T, _BY_ITSELF, wait_seconds=60),
    Row(ANY, "invalid_grant", _P, _P, "approve the user for the app, check audience, clock and allowed addresses"),
    Row(ANY, "invalid_client_id", _P, _P, "check client_id in the settings"),
    Row(ANY, "invalid_client", _P, _P, "check client_id and client_secret in the settings"),
    Row(ANY, "invalid_client_credentials", _P, _P, "check client_secret in the settings"),
    Row(ANY, "unsupported_grant_type", _P, _P, "allow the flow on the app, or choose the other value of auth"),
    Row(ANY, "inactive_user", _P, _P, "activate the user that the app acts as"),
    Row(ANY, "inactive_org", _P, _P, "have the org activated"),
    Row(ANY, "invalid_request", _P, _P, "check the credential settings of this system"),
    Row(only(408), None, _T, _T, _BY_ITSELF),
    Row(only(429), None, _T, _T, _BY_ITSELF, wait_seconds=60),
    Row(range(500, 600), None, _T, _T, _BY_ITSELF),
    Row(range(200, 300), "", _T, _T, _BY_ITSELF),
    Row(ANY, None, _P, _P, "check address and credential of this system, then decide 'retry'"),
)


class VendorError(NamedTuple):
    code: str
    message: str
    fields: tuple[str, ...] = ()


def read_errors(body: Any) -> list[VendorError]:
    """The vendor's errors in any of its shapes; empty for a foreign body.

    Shapes: `[{errorCode, message, fields}]` (data API), `{success: false, errors: [{statusCode, ...}]}` (collections,
    actions), `{error, error_description}` (token endpoint).
    """
    if isinstance(body, dict):
        if isinstance(body.get("error"), str):
            return [VendorError(body["error"], str(body.get("error_description", "")))]
        body = body.get("errors") if isinstance(body.get("errors"), list) else [body]
    if not isinstance(body, list):
        return []
    found: list[VendorError] = []
    for item in body:
        code = item.get("errorCode") or item.get("statusCode") if isinstance(item, dict) else None
        if isinstance(code, str):
            fields = item.get("fields")
            names = tuple(str(name) for name in fields) if isinstance(fields, list) else ()
            found.append(VendorError(code, str(item.get("message", "")), names))
    return found


def row_for(status: int, code: str, message: str, table: tuple[Row, ...] = RESPONSES) -> Row:
    """The first row that fits; the last row of a table fits everything."""
    for row in table:
        if status in row.statuses and row.code in (None, code) and row.says in message:
            return row
    raise LookupError("the table has no default row")


def failure_of(
    status: int,
    body: Any,
    *,
    system: str,
    writes: bool,
    tried: str,
    response: httpx2.Response | None = None,
    table: tuple[Row, ...] = RESPONSES,
) -> SystemFailure:
    """The failure that an answer means. `response` gives wait hint and request id where there is one."""
    errors = read_errors(body)
    main = next((error for error in errors if error.code not in SECONDARY), errors[0] if errors else None)
    code, message = (main.code, main.message) if main else ("", "")
    row = row_for(status, code, message, table)
    if main is not None:
        came_back = f"{status} {code}: {withheld(message)}" + (f" ({', '.join(main.fields)})" if main.fields else "")
    elif status == 300 and isinstance(body, list):
        came_back = "300: several records carry this key: " + ", ".join(str(url).rsplit("/", 1)[-1] for url in body)
    else:
        came_back = f"{status} with a body that is not Salesforce's"
    hint = retry_after(response) if response is not None else None
    return SystemFailure(
        row.writes if writes else row.reads,
        tried,
        came_back,
        system=system,
        code=code or str(status),
        request_id=_request_id(response, message),
        retry_after=row.wait_seconds if hint is None else hint,
        do_next=row.do_next,
    )


def withheld(message: str) -> str:
    """The vendor's message without the values of people that it may repeat."""
    text = re.sub(r"(data value too large: ).*?( \(max length=\d+\))", r"\1(value withheld)\2", message, flags=re.S)
    return re.sub(r"[^\s@,;:'\"<>()]+@[^\s@,;:'\"<>()]+", "(address withheld)", text)[:500]


def _request_id(response: httpx2.Response | None, message: str) -> str:
    if response is not None:
        for name in ("x-sfdc-request-id", "x-request-id"):
            if response.headers.get(name):
                return str(response.headers[name])
    # Salesforce puts the id of an internal error into its message, for its support.
    match = re.search(r"ErrorId[^:]*:\s*([0-9A-Za-z-]+(?: \(-?\d+\))?)", message)
    return match.group(1) if match else ""
