"""Every answer of an org means exactly one thing, and an answer that nobody has seen waits for a person."""

import httpx2
import pytest

from activities.salesforce.responses import RESPONSES, TOKEN_RESPONSES, Row, failure_of, read_errors, row_for
from commerce.failures import Family

T, U, D, R, P, B = (
    Family.TRANSIENT,
    Family.OUTCOME_UNKNOWN,
    Family.ALREADY_DONE,
    Family.REJECTED,
    Family.NEEDS_PERSON,
    Family.BUG,
)

# status, code, message, family of a read, family of a write: from the vendor's documentation.
ANSWERS = [
    (401, "INVALID_SESSION_ID", "Session expired or invalid", P, P),
    (400, "UNABLE_TO_LOCK_ROW", "unable to obtain exclusive access to this record or 1 records: 001", T, T),
    (400, "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", "SCMC.Trigger: UNABLE_TO_LOCK_ROW, unable to obtain", T, T),
    (403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.", T, T),
    (403, "REQUEST_LIMIT_EXCEEDED", "ConcurrentPerOrgLongTxn Limit exceeded.", T, T),
    (503, "SERVER_UNAVAILABLE", "Server too busy", T, U),
    (500, "UNKNOWN_EXCEPTION", "An unexpected error occurred", T, U),
    (400, "QUERY_TIMEOUT", "Your query request was running for too long.", T, U),
    (400, "INVALID_QUERY_LOCATOR", "invalid query locator", T, T),
    (400, "DUPLICATE_VALUE", "duplicate value found: X duplicates value on record with id: 001", D, D),
    (400, "DUPLICATES_DETECTED", "Use one of these records?", P, P),
    (400, "REQUIRED_FIELD_MISSING", "Required fields are missing: [Name]", R, R),
    (400, "STRING_TOO_LONG", "Reference: data value too large: x (max length=80)", R, R),
    (400, "INVALID_EMAIL_ADDRESS", "Email: invalid email address: x", R, R),
    (400, "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", "bad value for restricted picklist field: X", R, R),
    (400, "NUMBER_OUTSIDE_VALID_RANGE", "value outside of valid range", R, R),
    (400, "FIELD_INTEGRITY_EXCEPTION", "field integrity exception", R, R),
    (400, "INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id", R, R),
    (400, "MALFORMED_ID", "Account ID: id value of incorrect type", R, R),
    (400, "FIELD_CUSTOM_VALIDATION_EXCEPTION", "The period is closed.", P, P),
    (400, "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", "The account has a temporary hold.", P, P),
    (400, "DELETE_FAILED", "restricted delete", P, P),
    (400, "INVALID_FIELD", "No such column 'X' on entity 'Account'", P, P),
    (400, "INVALID_FIELD_FOR_INSERT_UPDATE", "Unable to create/update fields: X", P, P),
    (400, "INVALID_TYPE", "sObject type 'X' is not supported.", P, P),
    (404, "NOT_FOUND", "The requested resource does not exist", P, P),
    (404, "ENTITY_IS_DELETED", "entity is deleted", P, P),
    (410, "ENTITY_IS_DELETED", "entity is deleted", P, P),
    (403, "INSUFFICIENT_ACCESS_OR_READONLY", "insufficient access rights on object id", P, P),
    (400, "INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY", "insufficient access rights", P, P),
    (400, "EXCEEDED_ID_LIMIT", "too many ids", R, R),
    (400, "MALFORMED_QUERY", "unexpected token: FORM", B, B),
    (400, "JSON_PARSER_ERROR", "Unexpected character", B, B),
    (400, "PROCESSING_HALTED", "The transaction was rolled back", P, P),
    (400, "ALL_OR_NONE_OPERATION_ROLLED_BACK", "Record rolled back", P, P),
    (300, "", "", P, P),
    (401, "", "", P, P),
    (408, "", "", T, U),
    (412, "", "", P, P),
    (429, "", "", T, T),
    (500, "", "", T, U),
    (502, "", "", T, U),
    (503, "SOMETHING_NEW", "", T, U),
    (200, "", "", T, U),
    (302, "", "", P, P),
    (400, "SOMETHING_NEW", "never seen before", P, P),
    (403, "", "", P, P),
]


def body_of(code: str, message: str) -> object:
    return [{"errorCode": code, "message": message, "fields": []}] if code else "<html>"


@pytest.mark.parametrize(("status", "code", "message", "read", "write"), ANSWERS)
def test_an_answer_means_what_the_vendor_says(
    status: int, code: str, message: str, read: Family, write: Family
) -> None:
    for writes, family in ((False, read), (True, write)):
        failure = failure_of(status, body_of(code, message), system="erp", writes=writes, tried="book it")
        assert failure.family is family
        assert failure.system == "erp"
        assert failure.tried == "book it"
        assert failure.do_next


def sample(row: Row, table: tuple[Row, ...]) -> tuple[int, str, str]:
    """An answer that the row is meant for: by its code, or by its status alone."""
    status = 400 if 400 in row.statuses else row.statuses[0]
    return status, row.code or "", row.says


@pytest.mark.parametrize("table", [RESPONSES, TOKEN_RESPONSES], ids=["data", "token"])
def test_no_row_stands_in_the_shadow_of_another(table: tuple[Row, ...]) -> None:
    for row in table:
        assert row_for(*sample(row, table), table) is row


@pytest.mark.parametrize("row", RESPONSES, ids=lambda row: f"{row.code}-{row.says or row.statuses.start}")
def test_every_row_is_covered_by_an_answer_of_the_vendor(row: Row) -> None:
    hit = [answer for answer in ANSWERS if row_for(answer[0], answer[1], answer[2]) is row]
    assert hit, f"no answer in this file reaches the row {row}"
    assert {(read, write) for *_, read, write in hit} == {(row.reads, row.writes)}


@pytest.mark.parametrize(
    ("status", "error", "family"),
    [
        (400, "invalid_grant", P),
        (400, "invalid_client_id", P),
        (401, "invalid_client", P),
        (400, "invalid_client_credentials", P),
        (400, "unsupported_grant_type", P),
        (400, "inactive_user", P),
        (400, "inactive_org", P),
        (400, "invalid_request", P),
        (400, "rate_limit_exceeded", T),
        (408, "", T),
        (429, "", T),
        (503, "", T),
        (200, "", T),
        (400, "something_new", P),
        (404, "", P),
    ],
)
def test_a_refused_sign_in_waits_for_a_person_and_an_outage_does_not(status: int, error: str, family: Family) -> None:
    body = {"error": error, "error_description": "why"} if error else None
    failure = failure_of(status, body, system="erp", writes=False, tried="sign in", table=TOKEN_RESPONSES)
    assert failure.family is family


def test_the_part_that_failed_is_named_and_not_its_siblings() -> None:
    body = [
        {"errorCode": "PROCESSING_HALTED", "message": "rolled back"},
        {"errorCode": "REQUIRED_FIELD_MISSING", "message": "Required fields are missing: [X]", "fields": ["X"]},
    ]
    failure = failure_of(400, body, system="erp", writes=True, tried="book it")
    assert failure.code == "REQUIRED_FIELD_MISSING"
    assert failure.came_back == "400 REQUIRED_FIELD_MISSING: Required fields are missing: [X] (X)"


def test_the_servers_wait_hint_outranks_the_tables() -> None:
    limited = [{"errorCode": "REQUEST_LIMIT_EXCEEDED", "message": "TotalRequests Limit exceeded."}]
    response = httpx2.Response(403, headers={"Retry-After": "7"})
    asked = failure_of(403, limited, system="erp", writes=True, tried="t", response=response)
    silent = failure_of(403, limited, system="erp", writes=True, tried="t", response=httpx2.Response(403))
    assert (asked.retry_after, silent.retry_after) == (7, 600)


@pytest.mark.parametrize(
    ("message", "secret"),
    [
        ("Street: data value too large: Domstraße 1, c/o Petra Müller (max length=100)", "Petra"),
        ("Email: invalid email address: petra.mueller@example.org", "petra"),
        ("Email: invalid email address: петра@пример.рф)", "петра"),
    ],
)
def test_what_belongs_to_a_person_is_not_repeated(message: str, secret: str) -> None:
    body = [{"errorCode": "STRING_TOO_LONG", "message": message}]
    failure = failure_of(400, body, system="erp", writes=True, tried="book it")
    assert secret not in str(failure)
    assert "withheld" in failure.came_back


def test_the_vendors_request_id_is_kept() -> None:
    from_header = httpx2.Response(500, headers={"X-SFDC-Request-Id": "abc123"})
    assert failure_of(500, None, system="s", writes=False, tried="t", response=from_header).request_id == "abc123"
    message = "An unexpected error occurred. Please include this ErrorId if you contact support: 123-456 (789)"
    body = [{"errorCode": "UNKNOWN_EXCEPTION", "message": message}]
    assert failure_of(500, body, system="s", writes=False, tried="t").request_id == "123-456 (789)"


@pytest.mark.parametrize(
    ("body", "codes"),
    [
        ([{"errorCode": "A", "message": "m"}], ["A"]),
        ([{"statusCode": "B", "message": "m", "fields": ["X"]}], ["B"]),
        ({"success": False, "errors": [{"statusCode": "C", "message": "m"}]}, ["C"]),
        ({"error": "invalid_grant", "error_description": "m"}, ["invalid_grant"]),
        ({"errorCode": "D", "message": "m"}, ["D"]),
        (["/services/data/v68.0/sobjects/X/1"], []),
        ("<html>", []),
        (None, []),
        ([{"errorCode": 5}], []),
    ],
)
def test_all_error_shapes_are_read(body: object, codes: list[str]) -> None:
    assert [error.code for error in read_errors(body)] == codes
