"""One example for each line of the table of answers, and what an unknown answer means."""

import json
from typing import Any

import httpx2
import pytest

from activities.magento.responses import TABLE, UNFORESEEN, failure, read, row_for
from commerce.failures import Family

ERROR = {"message": "Could not save"}
DEADLOCK = {"message": "Could not save: %1", "parameters": ["Deadlock found when trying to get lock; try again"]}
LOCK_WAIT = {"message": "Database lock wait timeout exceeded"}
DB_GONE = {"message": "Database connection error"}
HTML = "<html><body>Bad Gateway</body></html>"

# name of the row, status, body, whether it was a write, family
CASES: list[tuple[str, int, Any, bool, Family]] = [
    ("deadlock", 400, DEADLOCK, True, Family.TRANSIENT),
    ("deadlock", 400, LOCK_WAIT, False, Family.TRANSIENT),
    ("deadlock", 500, DEADLOCK, True, Family.TRANSIENT),
    ("database gone, reading", 400, DB_GONE, False, Family.TRANSIENT),
    ("database gone, writing", 400, DB_GONE, True, Family.OUTCOME_UNKNOWN),
    ("refused", 400, ERROR, True, Family.REJECTED),
    ("refused", 400, {"messages": {"error": [{"code": 400, "message": "no"}]}}, True, Family.REJECTED),
    ("not authorized", 401, {"message": "The consumer isn't authorized"}, True, Family.NEEDS_PERSON),
    ("blocked before the shop", 403, HTML, False, Family.NEEDS_PERSON),
    ("not there", 404, {"message": "No such entity"}, False, Family.NEEDS_PERSON),
    ("no shop at this address", 404, HTML, False, Family.NEEDS_PERSON),
    ("slow request, reading", 408, HTML, False, Family.TRANSIENT),
    ("slow request, writing", 408, HTML, True, Family.OUTCOME_UNKNOWN),
    ("too large", 413, HTML, True, Family.REJECTED),
    ("too many requests", 429, {"message": "Too Many Requests", "trace": None}, True, Family.TRANSIENT),
    ("moved", 301, "", True, Family.NEEDS_PERSON),
    ("trouble, reading", 503, HTML, False, Family.TRANSIENT),
    ("trouble, writing", 504, HTML, True, Family.OUTCOME_UNKNOWN),
    ("trouble, writing", 500, {"message": "Internal Error. Report ID: webapi-6f"}, True, Family.OUTCOME_UNKNOWN),
    ("garbled, reading", 200, HTML, False, Family.TRANSIENT),
    ("garbled, writing", 200, '{"<<<', True, Family.OUTCOME_UNKNOWN),
    ("unforeseen", 418, ERROR, True, Family.NEEDS_PERSON),
    ("unforeseen", 400, HTML, True, Family.NEEDS_PERSON),
]


def reply(status: int, body: Any, headers: dict[str, str] | None = None) -> httpx2.Response:
    content = body if isinstance(body, str) else json.dumps(body)
    return httpx2.Response(status, content=content.encode(), headers=headers)


@pytest.mark.parametrize(("name", "status", "body", "writes", "family"), CASES)
def test_an_answer_falls_into_its_family(name: str, status: int, body: Any, writes: bool, family: Family) -> None:
    row = row_for(read(reply(status, body)), writes=writes)
    assert (row.name, row.family) == (name, family)


def test_every_row_of_the_table_has_an_example() -> None:
    assert {case[0] for case in CASES} == {row.name for row in TABLE} | {UNFORESEEN.name}


def test_a_deadlock_in_another_language_parks_instead_of_being_guessed() -> None:
    german = reply(400, {"message": "Datenbank-Verklemmung gefunden"})
    assert row_for(read(german), writes=True).family is Family.REJECTED


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"message": "No %fieldName = %value", "parameters": {"fieldName": "a", "value": 7}}, "No a = 7"),
        ({"message": "%1 of %2, %3", "parameters": ["x", 2]}, "x of 2, %3"),
        ({"message": "100% wool", "parameters": []}, "100% wool"),
        ({"message": "Wrong", "errors": [{"message": "%f is bad", "parameters": {"f": "sku"}}]}, "Wrong; sku is bad"),
    ],
)
def test_messages_are_filled_in_as_the_shop_means_them(body: Any, message: str) -> None:
    assert read(reply(400, body)).message == message


def test_a_failure_carries_the_report_id_and_no_address_of_a_person() -> None:
    body = {"message": "Internal Error for anna@example.com. Report ID: webapi-6f01ab"}
    found = failure(read(reply(500, body)), writes=True, system="shop", tried="write invoice RE-1")
    assert found.request_id == "webapi-6f01ab"
    assert "anna" not in found.came_back
    assert found.do_next


def test_the_wait_hint_of_the_shop_is_kept() -> None:
    busy = read(reply(429, {"message": "Too Many Requests"}, {"retry-after": "17"}))
    assert failure(busy, writes=True, system="shop", tried="x").retry_after == 17
