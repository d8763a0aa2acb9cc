"""Parked cases as people meet them: whose move it is, when somebody is reminded, what is said, and what moves it."""

import re
import shlex
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Literal

from pydantic import Field

from commerce.documents import Case, DecisionKind
from commerce.model import Model, UtcDatetime

HOLDFAST = "holdfast"  # the author of what a rule of the configuration decides


class Changed(Model):
    """One field that a correction changed, with both values as JSON; an empty text where there was none."""

    field: str
    before: str
    after: str

    def __str__(self) -> str:
        return f"{self.field}: known {self.before or 'nothing'}, given {self.after or 'nothing'}"


class CaseEvent(Model):
    """Something that happened to a case: who, when, what and why. `changes` come with a correction."""

    at: UtcDatetime
    what: Literal["opened", "escalated", "expired", "reassigned", "decided", "ended"]
    by: str
    text: str
    changes: tuple[Changed, ...] = ()


class Reassignment(Model):
    """Somebody else's move from now on: a person, a role, or a mail address, which is then told by mail."""

    case_id: str
    to: str = Field(min_length=1, max_length=200)
    by: str = Field(min_length=1)
    reason: str = Field(min_length=1)


class Due(StrEnum):
    """What an undecided case comes to by itself."""

    REMIND = "remind"
    ESCALATE = "escalate"
    EXPIRE = "expire"


def next_due(case: Case, told_at: datetime, remind_every: timedelta, escalate_after: timedelta) -> tuple[datetime, Due]:
    """What comes next and when, while nobody decides. There is always something: no case is forgotten."""
    due = [(told_at + remind_every, Due.REMIND)]
    if case.escalated_at is None:
        due.append((case.opened_at + escalate_after, Due.ESCALATE))
    if case.decide_by is not None and case.expired_at is None:
        due.append((case.decide_by, Due.EXPIRE))
    # Of two at the same moment the graver one.
    return min(due, key=lambda one: (one[0], one[1] is Due.REMIND, one[1] is Due.ESCALATE))


def possible(case: Case) -> tuple[DecisionKind, ...]:
    """The decisions that the case takes."""
    may = {
        DecisionKind.RETRY: True,
        DecisionKind.CORRECT: case.may_correct,
        DecisionKind.SKIP: case.may_skip,
        DecisionKind.GIVE_UP: case.may_give_up,
    }
    return tuple(kind for kind, allowed in may.items() if allowed)


def commands(case: Case) -> tuple[str, ...]:
    """The commands that move the case, ready to be copied; the reason is for the person to fill in."""
    name = shlex.quote(case.id)
    extra = {DecisionKind.CORRECT: " --correction '{…}'"}
    lines = [
        f'starter.py resolve {name} --decision {kind.value}{extra.get(kind, "")} --reason "…"'
        for kind in possible(case)
    ]
    return (*lines, f'starter.py reassign {name} --to NAME --reason "…"')


def subject(case: Case, why: str, now: datetime) -> str:
    """The subject of a message about the case. `why`: opened, remind, escalate, expire or reassigned."""
    named = f"order {case.number} of {case.store}"
    if why == "reassigned":
        return f"{named}: now the move of {case.assignee}"
    if why in (Due.ESCALATE, Due.EXPIRE):
        return f"ESCALATED: {named} has waited {_whole(now - case.opened_at)} for a person"
    if why == Due.REMIND:
        return f"{'ESCALATED, reminder' if case.escalated_at else 'Reminder'}: {named} needs a person"
    return f"{named} needs a person"


def text(case: Case) -> str:
    """All that a person needs to decide, without looking anywhere else."""
    lines = [
        f"{case.tried}: {case.came_back}",
        f"To do: {case.do_next}",
        f"Whose move: {case.assignee}",
        *([f"Money at stake: {case.amount}"] if case.amount else []),
        f"System: {case.system}" + (f", request {case.request_id}" if case.request_id else ""),
        f"Waits since {case.opened_at:%Y-%m-%d %H:%M} UTC",
        *([at_the_end(case)] if case.decide_by else []),
        "",
        *commands(case),
    ]
    return "\n".join(lines)


def at_the_end(case: Case) -> str:
    """What happens when nobody decides in time; empty where a case simply waits."""
    if case.decide_by is None:
        return ""
    if case.expired_at is not None:
        return f"Nobody decided by {case.decide_by:%Y-%m-%d %H:%M} UTC; it stays open"
    what = (
        "the order is given up and undone if no money was taken for it, else this escalates and stays open"
        if case.at_expiry == "give-up"
        else "this escalates and stays open"
    )
    return f"Without a decision by {case.decide_by:%Y-%m-%d %H:%M} UTC {what}"


def is_address(assignee: str) -> bool:
    """Whether an assignee can be mailed. A mail that a server refuses for one odd receiver would reach nobody."""
    return re.fullmatch(r"[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+", assignee) is not None


def _whole(time: timedelta) -> str:
    """`3 d`, `5 h`, `12 min`."""
    minutes = int(time.total_seconds()) // 60
    if minutes >= 2 * 24 * 60:
        return f"{minutes // (24 * 60)} d"
    return f"{minutes // 60} h" if minutes >= 120 else f"{minutes} min"


class CaseQuery(Model):
    """Which open cases are meant. Empty fields mean all; what is given must all hold."""

    system: str = ""
    error: str = ""
    step: str = ""
    store: str = ""
    assignee: str = ""
    older_than_seconds: int = Field(default=0, ge=0)

    def matches(self, case: Case, now: datetime) -> bool:
        """`error` is looked for anywhere in what was tried and came back; the others are whole words, in any case."""
        said = f"{case.tried}\n{case.came_back}\n{case.request_id}".casefold()
        return (
            all(
                not wanted or wanted.strip().casefold() == found.casefold()
                for wanted, found in (
                    (self.system, case.system),
                    (self.step, case.step),
                    (self.store, case.store),
                    (self.assignee, case.assignee),
                )
            )
            and self.error.strip().casefold() in said
            and now - case.opened_at >= timedelta(seconds=self.older_than_seconds)
        )
