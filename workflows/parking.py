"""Parking: a process that cannot go on says what it needs and waits for a person. It never fails for a business reason.

`ParkingWorkflow` is the base of every process that talks to outside systems. Its steps run until they succeed, until a
person decides otherwise, or until the process is stopped.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, TypeVar

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError
from temporalio.exceptions import TimeoutError as StepTimeout

with workflow.unsafe.imports_passed_through():
    from activities.control import CloseCase, Control, Plan, TellOperators
    from commerce.documents import Case, Decision, DecisionKind, Event, Stage
    from commerce.failures import Family
    from commerce.money import Money
    from workflows.names import NEEDS_PERSON
    from workflows.profiles import control_step, system_step

T = TypeVar("T")
R = TypeVar("R")


class Stopped(Exception):
    """The way forward ends here: cancelled, expired or given up. What was done is undone."""

    def __init__(self, stage: Stage, reason: str) -> None:
        super().__init__(reason)
        self.stage = stage
        self.reason = reason


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


class ParkingWorkflow:
    """State and handlers that every parking process shares. Subclasses set store, number and plan."""

    def __init__(self, store: str, number: str) -> None:
        self._store = store
        self._number = number
        self._key = f"{store}:{number}"
        self._plan: Plan | None = None
        self._timeline: list[Event] = []
        self._cases: dict[str, Case] = {}
        self._listed: set[str] = set()  # cases that the ledger, and so every list, has too
        self._decisions: dict[str, Decision] = {}
        self._case_count = 0
        self._stop: Stopped | None = None
        self._undoing = False

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
                return await self._attempt(step, system, method, task())
            except ActivityError as err:
                self._stop_if_asked()  # the call was called off, it did not fail
                await self._park(step, problem_of(err, step, system), may_skip=may_skip, family=family_of(err))

    async def _check(self, step: str, rule: Callable[[], Awaitable[R]], *, may_skip: bool = False) -> R:
        """Run a rule of ours until it holds or a person decides."""
        while True:
            self._stop_if_asked()
            try:
                return await rule()
            except Problem as problem:
                may = may_skip or problem.may_skip
                await self._park(step, problem, may_skip=may, family=Family.NEEDS_PERSON.value)

    async def _attempt(self, step: str, system: str, method: Callable[[Any, T], Awaitable[R]], task: T) -> R:
        options = system_step(self._need_plan(), system, f"{step}: {self._key}")
        running: asyncio.Task[R] = asyncio.ensure_future(workflow.start_activity_method(method, task, **options))
        if not self._undoing:
            try:
                await workflow.wait_condition(lambda: running.done() or self._stop is not None)
            except asyncio.CancelledError:
                self._stop_by_engine()
            if not running.done():
                # A call that waits for its next try ends at once; one that is under way is let finish, because half
                # a write is what the undo cannot see.
                running.cancel()
        return await running

    async def _park(self, step: str, problem: Problem, *, may_skip: bool, family: str) -> Decision:
        """Open a case and wait for the decision on it. Raises Skipped or Stopped where the decision says so."""
        self._case_count += 1
        case = Case(
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
            opened_at=workflow.now(),
        )
        self._cases[case.id] = case
        self._note("parked", f"{step} needs a person: {case.came_back}. {case.do_next}")
        workflow.upsert_search_attributes([NEEDS_PERSON.value_set(True)])
        await self._control(Control.open_case, case, f"case {case.id}")
        self._listed.add(case.id)
        try:
            await self._remind_until(case, lambda: case.id in self._decisions or self._stopping())
        except asyncio.CancelledError:
            self._stop_by_engine()
        del self._cases[case.id]
        self._listed.discard(case.id)
        if not self._cases:
            workflow.upsert_search_attributes([NEEDS_PERSON.value_set(False)])
        decision = self._decisions.get(case.id)
        reason = decision.reason if decision else str(self._stop)
        closing = CloseCase(case_id=case.id, decision=decision, reason=reason, decided_at=workflow.now())
        await self._control(Control.close_case, closing, f"close case {case.id}")
        if decision is None:
            self._stop_if_asked()
            raise AssertionError("a case ends by a decision or a stop")
        self._note("decided", f"{decision.by} decided {decision.kind.value} on {step}: {decision.reason}")
        if decision.kind is DecisionKind.SKIP:
            raise Skipped(f"{step}: {decision.reason} ({decision.by})")
        if decision.kind is DecisionKind.GIVE_UP:
            self._stop = Stopped(Stage.GIVEN_UP, f"{decision.reason} ({decision.by})")
            raise self._stop
        if decision.kind is DecisionKind.CORRECT:
            self._correct(decision)
        return decision

    async def _remind_until(self, case: Case, done: Callable[[], bool]) -> None:
        """Wait, and tell the operators meanwhile. A decision does not wait for the mail."""
        reminders = 0
        every = timedelta(seconds=self._plan.remind_every if self._plan else 24 * 3600)
        while not done():
            message = TellOperators(
                key=f"{case.id}:{reminders}",
                subject=f"{'Reminder: ' if reminders else ''}order {self._number} of {self._store} needs a person",
                text=f"{case.tried}: {case.came_back}\n{case.do_next}"
                + (f"\nMoney at stake: {case.amount}" if case.amount else ""),
                order_key=self._key,
            )
            telling = asyncio.create_task(
                self._control(Control.tell_operators, message, f"tell operators about {case.id}")
            )
            try:
                await workflow.wait_condition(done, timeout=every, timeout_summary=f"reminder for case {case.id}")
            except TimeoutError:
                reminders += 1
            except asyncio.CancelledError:
                await _called_off(telling)
                raise
            await _called_off(telling)  # told by now, or superseded: the next one says the same again

    async def _together(self, one: Awaitable[T], other: Awaitable[R]) -> tuple[T, R]:
        """Two steps side by side. Both are let end, so that none leaves a case open; then the first error counts."""
        ends = await asyncio.gather(one, other, return_exceptions=True)
        for end in ends:
            if isinstance(end, BaseException):
                raise end
        return ends  # type: ignore[return-value]

    async def _control(self, method: Callable[[Any, T], Awaitable[R]], task: T, summary: str) -> R:
        return await workflow.execute_activity_method(method, task, **control_step(summary))

    # ---- state -------------------------------------------------------------------------------------------------------

    def _stopping(self) -> bool:
        return self._stop is not None and not self._undoing

    def _stop_if_asked(self) -> None:
        if self._stop is not None and not self._undoing:
            raise self._stop

    def _stop_by_engine(self) -> None:
        """Somebody cancelled the run in the engine itself: the same as a cancellation through us."""
        if self._stop is None:
            self._stop = Stopped(Stage.CANCELLED, "cancelled through the engine")

    def _why_not_give_up(self) -> str:
        """Why a person cannot give this process up; empty when they can."""
        return ""

    def _case_name(self, count: int) -> str:
        """The last part of a case's id, unique for the order over all of its runs."""
        return str(count)

    def _at_stake(self) -> Money | None:
        """The money that a parked case holds up, where the problem itself names none."""
        return None

    def _need_plan(self) -> Plan:
        if self._plan is None:
            raise ApplicationError("the run has no plan yet", type=Family.BUG.value)
        return self._plan

    def _note(self, kind: Any, text: str) -> None:
        self._timeline.append(Event(at=workflow.now(), kind=kind, text=text))

    def _correct(self, decision: Decision) -> None:
        raise ApplicationError("this process has nothing to correct", type=Family.BUG.value)

    def _check_correction(self, decision: Decision) -> None:
        """Raise ValueError when a correction cannot be applied. Runs in the validator."""
        raise ValueError("this process has nothing to correct; decide retry, skip or give-up")

    # ---- decisions ---------------------------------------------------------------------------------------------------

    @workflow.update
    async def decide(self, decision: Decision) -> str:
        """A person's decision on a parked case. The same decision again gets the same answer."""
        self._decisions.setdefault(decision.case_id, decision)
        return f"{decision.kind.value} on {decision.case_id} accepted"

    @decide.validator
    def _may_decide(self, decision: Decision) -> None:
        earlier = self._decisions.get(decision.case_id)
        if earlier is not None:
            if (earlier.kind, earlier.by, earlier.reason) == (decision.kind, decision.by, decision.reason):
                return
            raise ApplicationError(
                f"case {decision.case_id} was decided by {earlier.by}: {earlier.kind.value}", type="AlreadyDecided"
            )
        case = self._cases.get(decision.case_id)
        if case is None:
            known = ", ".join(self._cases) or "none"
            raise ApplicationError(f"no open case {decision.case_id}; open cases: {known}", type="UnknownCase")
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
