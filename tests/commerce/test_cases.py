"""What an undecided case comes to, whom it concerns, and which commands move it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commerce.cases import CaseQuery, Due, at_the_end, commands, is_address, next_due, subject, text
from commerce.documents import Case

NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)


def case(**more: Any) -> Case:
    given_: dict[str, Any] = {
        "id": "de:1001:1",
        "order_key": "de:1001",
        "store": "de",
        "number": "1001",
        "workflow_id": "checkout:de:1001",
        "step": "book sales order",
        "system": "sage",
        "family": "Rejected",
        "tried": "book order de:1001",
        "came_back": "the period 2026-11 is closed",
        "request_id": "R-77",
        "do_next": "open the period",
        "opened_at": NOON,
        **more,
    }
    return Case.model_validate(given_)


@pytest.mark.parametrize(
    ("more", "told", "after", "due"),
    [
        ({}, timedelta(0), DAY, Due.REMIND),
        ({}, 2 * DAY + timedelta(hours=1), 3 * DAY, Due.ESCALATE),
        ({}, 2 * DAY, 3 * DAY, Due.ESCALATE),  # of two at once the graver one
        ({"escalated_at": NOON + 3 * DAY}, 3 * DAY, 4 * DAY, Due.REMIND),
        ({"decide_by": NOON + timedelta(hours=5)}, timedelta(0), timedelta(hours=5), Due.EXPIRE),
        ({"decide_by": NOON + 3 * DAY}, 2 * DAY, 3 * DAY, Due.EXPIRE),
        (
            {"decide_by": NOON, "expired_at": NOON, "escalated_at": NOON},
            timedelta(hours=1),
            timedelta(hours=25),
            Due.REMIND,
        ),
    ],
)
def test_what_comes_next_is_the_earliest_and_of_two_the_graver(
    more: dict[str, Any], told: timedelta, after: timedelta, due: Due
) -> None:
    assert next_due(case(**more), NOON + told, DAY, 3 * DAY) == (NOON + after, due)


@given(st.integers(1, 10**6), st.integers(1, 10**6), st.none() | st.integers(1, 10**6))
def test_every_case_is_told_of_again_escalated_once_and_expires_once(
    remind: int, escalate: int, expire: int | None
) -> None:
    now, seen = case(decide_by=NOON + timedelta(seconds=expire) if expire else None), []
    told = NOON
    for _ in range(6):
        at, due = next_due(now, told, timedelta(seconds=remind), timedelta(seconds=escalate))
        assert at > told or due is not Due.REMIND
        told = max(at, told)
        seen.append(due)
        if due is Due.ESCALATE:
            now = now.model_copy(update={"escalated_at": told})
        elif due is Due.EXPIRE:
            now = now.model_copy(update={"escalated_at": now.escalated_at or told, "expired_at": told})
    assert seen.count(Due.ESCALATE) <= 1
    assert seen.count(Due.EXPIRE) <= (expire is not None)
    assert Due.REMIND in seen


@pytest.mark.parametrize(
    ("query", "matches"),
    [
        ({}, True),
        ({"system": "SAGE"}, True),
        ({"system": "sag"}, False),
        ({"error": "PERIOD 2026"}, True),
        ({"error": "r-77"}, True),
        ({"error": "stock"}, False),
        ({"step": "book sales order", "store": "de"}, True),
        ({"store": "us"}, False),
        ({"assignee": "operators"}, True),
        ({"older_than_seconds": 3600}, True),
        ({"older_than_seconds": 3601}, False),
        ({"system": "sage", "error": "stock"}, False),
    ],
)
def test_a_query_means_what_fits_all_of_it(query: dict[str, Any], matches: bool) -> None:
    assert CaseQuery.model_validate(query).matches(case(), NOON + timedelta(hours=1)) is matches


def test_only_possible_decisions_are_offered_and_ids_are_ready_for_a_shell() -> None:
    offered = commands(case(id="de:10 01:1", may_give_up=False, may_correct=True))
    assert [line.split("--decision ")[1].split()[0] for line in offered if "resolve" in line] == ["retry", "correct"]
    assert all("'de:10 01:1'" in line for line in offered)
    assert offered[-1].startswith("starter.py reassign ")


def test_a_message_says_what_which_order_what_came_back_whose_move_and_the_commands() -> None:
    told = text(case(assignee="anna", decide_by=NOON + DAY))
    for part in ("book order de:1001", "the period 2026-11 is closed", "request R-77", "open the period", "anna"):
        assert part in told
    assert 'starter.py resolve de:1001:1 --decision retry --reason "…"' in told
    assert "Without a decision by 2026-11-22 12:00 UTC this escalates and stays open" in told
    assert "it stays open" in at_the_end(case(decide_by=NOON, expired_at=NOON))


def test_a_subject_gets_louder() -> None:
    assert subject(case(), "opened", NOON) == "order 1001 of de needs a person"
    assert subject(case(), Due.REMIND, NOON) == "Reminder: order 1001 of de needs a person"
    late = case(escalated_at=NOON)
    assert subject(late, Due.ESCALATE, NOON + 3 * DAY) == "ESCALATED: order 1001 of de has waited 3 d for a person"
    assert subject(late, Due.REMIND, NOON) == "ESCALATED, reminder: order 1001 of de needs a person"


@pytest.mark.parametrize(
    ("assignee", "mailed"),
    [("anna@shop.example", True), ("anna", False), ("a@b", False), ("x@y.z, w@v.u", False), ("<x@y.z>", False)],
)
def test_only_what_is_surely_an_address_is_mailed(assignee: str, mailed: bool) -> None:
    assert is_address(assignee) is mailed
