"""Parking: a process that cannot go on says what it needs and waits for a person. It never fails for a business reason.

`ParkingWorkflow` is the base of every process that talks to outside systems. Its steps run until they succeed, until a
person decides otherwise, or until the process is stopped.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import partial
from typing import Any, TypeVar

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError
from temporalio.exceptions import TimeoutError as StepTimeout

with workflow.unsafe.imports_passed_through():
    from activities.control import CloseCase, Control, NoteCase, TellOperators, Waiting
    from commerce.cases import HOLDFAST, CaseEvent, Changed, Due, Reassignment, is_address, next_due, subject, text
    from commerce.documents import Case, Decision, DecisionKind, Event, Stage
    from commerce.failures import Family
    from commerce.money import Money
    from workflows.profiles import control_step
    from workflows.running import StepRunning
    from workflows.running import Stopped as Stopped

T = TypeVar("T")
R = TypeVar("R")


class Skipped(Exception):
    """A person decided to leave a step out."""


class Problem(Exception):
    """A rule of ours says no: parks like a failure of a system. `amount` names the money at stake."""

    def __init__(
        self,
        tried: str,
        came_back: str,
        do_next: str,
        *,
        system: str = "holdfast",
        amount: Money | None = None,
        request_id: str = "",
        may_skip: bool = False,
    ) -> None:
        super().__init__(came_back)
        self.tried = tried
        self.came_back = came_back
        self.do_next = do_next
        self.system = system
        self.amount = amount
        self.request_id = request_id
        self.may_skip = may_skip


class ParkingWorkflow(StepRunning):
    """State and handlers that every parking process shares. Subclasses set store, number and plan."""

    _may_correct = False  # whether a person can change what the process works on

    def __init__(self, store: str, number: str) -> None:
        super().__init__(store, number)
        self._timeline: list[Event] = []
        self._cases: dict[str, Case] = {}
        self._listed: set[str] = set()  # cases that the ledger, and so every list, has too
        self._decisions: dict[str, Decision] = {}
        self._changes: dict[str, tuple[Changed, ...]] = {}  # what a correction changed, by case
        self._case_notes: dict[str, int] = {}
        self._case_count = 0

    # ---- steps -------------------------------------------------------------------------------------------------------

    async def _do(
        self,
        step: str,
        system: str,
        method: Callable[[Any, T], Awaitable[R]],
        task: Callable[[], T],
        *,
        may_skip: bool = False,
    ) -> R:
        """Run one step at a system until it succeeds or a person decides. `task` is asked anew after a correction.

        Raises Skipped when a person leaves the step out, Stopped when the process is stopped meanwhile.
        """
        while True:
            self._stop_if_asked()
            try:
                done = await self._attempt(step, system, method, task())
            except ActivityError as err:
                self._unanswered[method] = workflow.now()
                self._stop_if_asked()  # the call was called off, it did not fail
                await self._park(step, problem_of(err, step, system), may_skip=may_skip, family=family_of(err))
            else:
                self._unanswered.pop(method, None)
                return done

    async def _check(self, step: str, rule: Callable[[], Awaitable[R]], *, may_skip: bool = False) -> R:
        """Run a rule of ours until it holds or a person decides."""
        while True:
            self._stop_if_asked()
            try:
                return await rule()
            except Problem as problem:
                may = may_skip or problem.may_skip
                await self._park(step, problem, may_skip=may, family=Family.NEEDS_PERSON.value)

    async def _park(self, step: str, problem: Problem, *, may_skip: bool, family: str) -> Decision:
        """Open a case and wait for the decision on it. Raises Skipped or Stopped where the decision says so."""
        case = self._new_case(step, problem, may_skip=may_skip, family=family)
        self._cases[case.id] = case
        self._note("parked", f"{step} needs a person: {case.came_back}. {case.do_next}")
        self._publish(needs_person=True)
        await self._control(Control.open_case, case, f"case {case.id}")
        self._listed.add(case.id)
        try:
            await self._until_decided(case.id)
        except asyncio.CancelledError:
            self._stop_by_engine()
        del self._cases[case.id]
        self._listed.discard(case.id)
        if not self._cases:
            self._publish(needs_person=False)
        decision = self._decisions.get(case.id)
        closing = CloseCase(
            case_id=case.id,
            decision=decision,
            reason=decision.reason if decision else str(self._stop),
            decided_at=workflow.now(),
            changes=self._changes.get(case.id, ()),
        )
        await self._control(Control.close_case, closing, f"close case {case.id}")
        if decision is None:
            self._stop_if_asked()
            raise AssertionError("a case ends by a decision or a stop")
        self._note("decided", f"{decision.by} decided {decision.kind.value} on {step}: {decision.reason}")
        for change in closing.changes:
            self._note("decided", f"corrected {change}")
        if decision.kind is DecisionKind.SKIP:
            raise Skipped(f"{step}: {decision.reason} ({decision.by})")
        if decision.kind is DecisionKind.GIVE_UP:
            self._stop = Stopped(Stage.GIVEN_UP, f"{decision.reason} ({decision.by})")
            raise self._stop
        return decision

    def _new_case(self, step: str, problem: Problem, *, may_skip: bool, family: str) -> Case:
        self._case_count += 1
        plan, now = self._plan or Waiting(), workflow.now()
        return Case(
            id=f"{self._key}:{self._case_name(self._case_count)}",
            order_key=self._key,
            store=self._store,
            number=self._number,
            workflow_id=workflow.info().workflow_id,
            step=step,
            system=problem.system,
            family=family,
            tried=problem.tried,
            came_back=problem.came_back,
            request_id=problem.request_id,
            do_next=problem.do_next,
            amount=problem.amount or self._at_stake(),
            may_skip=may_skip,
            may_correct=self._may_correct,
            may_give_up=not (self._undoing or self._why_not_give_up()),
            assignee=plan.case_owner,
            opened_at=now,
            decide_by=now + timedelta(seconds=plan.expire_after) if plan.expire_after else None,
            at_expiry=plan.at_expiry,
        )

    async def _until_decided(self, case_id: str) -> None:
        """Wait, and tell people meanwhile, louder after a while. A decision does not wait for a mail."""

        def done() -> bool:
            return case_id in self._decisions or self._stopping()

        def ends_or_moves_from(assignee: str) -> bool:
            return done() or self._cases[case_id].assignee != assignee

        plan, why, count = self._plan or Waiting(), "opened", 0
        while not done():
            case, told_at = self._cases[case_id], workflow.now()
            telling = self._begin_beside(self._tell_about(case, why, count))
            count += 1
            at, due = next_due(
                case, told_at, timedelta(seconds=plan.remind_every), timedelta(seconds=plan.escalate_after)
            )
            try:
                await workflow.wait_condition(
                    partial(ends_or_moves_from, case.assignee),
                    timeout=max(at - told_at, timedelta(0)),
                    timeout_summary=f"{due.value} about case {case_id}, the move of {case.assignee}",
                )
                why = "reassigned"
            except TimeoutError:
                why = due.value
                if due is not Due.REMIND:
                    await self._comes_due(case_id, due)
            except asyncio.CancelledError:
                await _called_off(telling)
                raise
            await _called_off(telling)  # told by now, or superseded: the next one says the same again

    async def _tell_about(self, case: Case, why: str, count: int) -> None:
        message = TellOperators(
            key=f"{case.id}:{count}",
            subject=subject(case, why, workflow.now()),
            text=text(case),
            order_key=self._key,
            also=(case.assignee,) if is_address(case.assignee) else (),
            escalated=case.escalated_at is not None,
        )
        summary = f"tell operators about {case.id}"
        await workflow.execute_activity_method(Control.tell_operators, message, **control_step(summary))

    async def _comes_due(self, case_id: str, due: Due) -> None:
        """Nobody decided for so long: escalate, and at the last moment do what the configuration allows."""
        case, now = self._cases[case_id], workflow.now()
        said = f"nobody decided since {case.opened_at:%Y-%m-%d %H:%M} UTC"
        if due is Due.EXPIRE:
            refusal = self._why_not_expire() if case.at_expiry == "give-up" else "at_expiry is 'escalate'"
            if not refusal:
                reason = f"{said}, and [stores.{self._store}] gives up after expire_hours"
                kind = DecisionKind.GIVE_UP
                self._decisions[case_id] = Decision(case_id=case_id, kind=kind, by=HOLDFAST, reason=reason)
                return
            said = f"{said}; it stays open: {refusal}"
        late = {"escalated_at": case.escalated_at or now, "expired_at": now if due is Due.EXPIRE else case.expired_at}
        await self._note_case(
            case.model_copy(update=late),
            CaseEvent(at=now, what="expired" if due is Due.EXPIRE else "escalated", by=HOLDFAST, text=said),
        )

    async def _note_case(self, case: Case, event: CaseEvent) -> None:
        """What happened to an open case is shown at once, and kept in the ledger."""
        self._cases[case.id] = case
        number = self._case_notes[case.id] = self._case_notes.get(case.id, 0) + 1
        self._note("parked", f"case {case.id}: {event.what} by {event.by}: {event.text}")
        await self._control(Control.note_case, NoteCase(case=case, number=number, event=event), f"case {case.id}")

    # ---- state -------------------------------------------------------------------------------------------------------

    def _why_not_give_up(self) -> str:
        """Why a person cannot give this process up; empty when they can."""
        return ""

    def _why_not_expire(self) -> str:
        """Why this process is not given up without a person when a case expires; empty when it may be."""
        return "only a person may end it"

    def _case_name(self, count: int) -> str:
        """The last part of a case's id, unique for the order over all of its runs."""
        return str(count)

    def _at_stake(self) -> Money | None:
        """The money that a parked case holds up, where the problem itself names none."""
        return None

    def _note(self, kind: Any, text: str) -> None:
        self._timeline.append(Event(at=workflow.now(), kind=kind, text=text))

    def _correct(self, decision: Decision) -> tuple[Changed, ...]:
        """Apply a correction that was checked; what it changed."""
        raise ApplicationError("this process has nothing to correct", type=Family.BUG.value)

    def _check_correction(self, decision: Decision) -> None:
        """Raise ValueError when a correction cannot be applied. Runs in the validator."""
        raise ValueError("this process has nothing to correct; decide retry, skip or give-up")

    # ---- decisions ---------------------------------------------------------------------------------------------------

    @workflow.update
    async def decide(self, decision: Decision) -> str:
        """A person's decision on a parked case. The same decision again gets the same answer."""
        if decision.case_id not in self._decisions:
            self._decisions[decision.case_id] = decision
            if decision.kind is DecisionKind.CORRECT:
                # In the same breath as its check: what it was checked against cannot have changed.
                self._changes[decision.case_id] = self._correct(decision)
        return f"{decision.kind.value} on {decision.case_id} accepted"

    @decide.validator
    def _may_decide(self, decision: Decision) -> None:
        earlier = self._decisions.get(decision.case_id)
        if earlier is not None:
            if earlier == decision:
                return
            raise ApplicationError(
                f"case {decision.case_id} was decided by {earlier.by}: {earlier.kind.value}, {earlier.reason}",
                type="AlreadyDecided",
            )
        case = self._open_case(decision.case_id)
        if decision.kind is DecisionKind.SKIP and not case.may_skip:
            raise ApplicationError(
                f"step {case.step!r} cannot be skipped; decide retry, correct or give-up", type="Impossible"
            )
        refusal = self._why_not_give_up() if decision.kind is DecisionKind.GIVE_UP else ""
        if refusal:
            raise ApplicationError(refusal, type="Impossible")
        if decision.kind is DecisionKind.GIVE_UP and self._undoing:
            raise ApplicationError(
                "the order is being undone already; decide retry, or skip when it was done by hand", type="Impossible"
            )
        if decision.kind is DecisionKind.CORRECT:
            try:
                self._check_correction(decision)
            except ValueError as err:
                raise ApplicationError(f"the correction cannot be applied: {err}", type="Impossible") from None
        elif decision.correction is not None:
            raise ApplicationError("a correction goes with decision 'correct' only", type="Impossible")

    @workflow.update
    async def reassign(self, asked: Reassignment) -> str:
        """Make a case somebody else's move. Asked for again it changes nothing."""
        case = self._cases[asked.case_id]
        if case.assignee != asked.to:
            await self._note_case(
                case.model_copy(update={"assignee": asked.to}),
                CaseEvent(
                    at=workflow.now(),
                    what="reassigned",
                    by=asked.by,
                    text=f"from {case.assignee} to {asked.to}: {asked.reason}",
                ),
            )
        return f"case {asked.case_id} is the move of {asked.to}"

    @reassign.validator
    def _may_reassign(self, asked: Reassignment) -> None:
        earlier = self._decisions.get(asked.case_id)
        if earlier is not None:
            raise ApplicationError(
                f"case {asked.case_id} was decided by {earlier.by}: {earlier.kind.value}", type="AlreadyDecided"
            )
        self._open_case(asked.case_id)

    def _open_case(self, case_id: str) -> Case:
        case = self._cases.get(case_id)
        if case is None:
            known = ", ".join(self._cases) or "none"
            raise ApplicationError(f"no open case {case_id}; open cases: {known}", type="UnknownCase")
        return case


async def _called_off(task: "asyncio.Task[None]") -> None:
    """Not in a `finally`: that would also run, and wait, when the engine drops a run from a worker's memory."""
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def family_of(err: ActivityError) -> str:
    cause = err.cause
    if isinstance(cause, ApplicationError) and cause.type:
        return cause.type
    return Family.TRANSIENT.value if isinstance(cause, StepTimeout) else Family.BUG.value


def problem_of(err: ActivityError, step: str, system: str) -> Problem:
    """A failed step in the four parts of a message: what was tried, for which order, what came back, what to do."""
    cause = err.cause
    if isinstance(cause, ApplicationError) and cause.details and isinstance(cause.details[0], dict):
        said = cause.details[0]
        return Problem(
            said.get("tried") or step,
            said.get("came_back") or cause.message,
            said.get("do_next") or "mend the cause and decide 'retry'",
            system=said.get("system") or system,
            request_id=said.get("request_id", ""),
        )
    if isinstance(cause, StepTimeout):
        return Problem(
            step, "no success within the time that the plan allows", "mend the system and decide 'retry'", system=system
        )
    text = cause.message if isinstance(cause, ApplicationError) else str(cause or err)
    return Problem(step, text, "report this and decide 'retry'", system=system)
