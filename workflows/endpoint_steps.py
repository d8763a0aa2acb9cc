"""What every state of an endpoint watch needs: its memory, waiting for whoever calls it, and its steps."""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Literal

from temporalio import workflow
from temporalio.common import RetryPolicy

with workflow.unsafe.imports_passed_through():
    from activities.control import Control, TellOperators
    from activities.watch import (
        EndpointNote,
        Endpoints,
        Found,
        Held,
        PlanAsked,
        RateSet,
        SetRate,
        State,
        Watch,
        WatchPlan,
    )
    from workflows.endpoint_messages import CallsSpent, EndpointInput, Pause, Resume
    from workflows.names import CONTROL_QUEUE
    from workflows.profiles import control_step

HOLD_AGAIN = 30.0  # seconds until a server that did not take the rate 0 is told again


class EndpointSteps:
    def __init__(self, given: EndpointInput) -> None:
        self._endpoint = given.endpoint
        self._state: State = given.state
        self._since: datetime = given.since or workflow.now()
        self._until: datetime | None = given.until
        self._reason = given.reason
        self._planned = given.planned
        self._opened_until: datetime | None = given.opened_until
        self._suspects = given.suspects
        self._freed = given.freed
        self._seen_suspects = 0
        self._pause: Pause | None = given.pause
        self._resume: Resume | None = given.resume
        self._refresh = False
        self._spent: CallsSpent | None = None
        self._held_back_by = "server"
        self._to_hold_again = False
        self._plan = WatchPlan()
        self._fresh = given.since is None

    def _what_goes_on(self) -> EndpointInput:
        return EndpointInput(
            endpoint=self._endpoint,
            state=self._state,
            since=self._since,
            until=self._until,
            reason=self._reason,
            planned=self._planned,
            opened_until=self._opened_until,
            pause=self._pause,
            resume=self._resume,
            suspects=self._suspects - self._seen_suspects,
            freed=self._freed,
        )

    # ---- what is asked for, and the plan -----------------------------------------------------------------------------

    def _called(self) -> bool:
        return self._pause is not None or self._refresh or self._spent is not None

    def _suspected(self) -> bool:
        return self._suspects != self._seen_suspects

    def _is_shut(self) -> bool:
        opened = self._opened_until is not None and workflow.now() < self._opened_until
        return not self._plan.opening.open and not opened

    async def _wait(self, woken: Callable[[], bool], seconds: float | None, summary: str) -> bool:
        """Whether something came before the time was over."""
        try:
            await workflow.wait_condition(
                lambda: woken() or self._called(),
                timeout=timedelta(seconds=max(seconds, 0)) if seconds is not None else None,
                timeout_summary=summary,
            )
        except TimeoutError:
            return False
        return True

    async def _wait_until(self, until: datetime | None, summary: str) -> bool:
        while True:
            left = (until - workflow.now()).total_seconds() if until else None
            part = self._to_hold_again and (left is None or left > HOLD_AGAIN)
            if await self._wait(lambda: self._resume is not None, HOLD_AGAIN if part else left, summary):
                return True
            if not part:
                return False
            await self._set_rate(0, self._reason)

    async def _renew_plan(self) -> None:
        asked = PlanAsked(endpoint=self._endpoint, at=workflow.now())
        self._plan = await workflow.execute_activity_method(
            Endpoints.plan, asked, **control_step(f"how {self._endpoint} is watched")
        )

    # ---- steps -------------------------------------------------------------------------------------------------------

    async def _watch(
        self, state: Literal["up", "down"], interrupted: Callable[[], bool], until: datetime | None = None
    ) -> Found | None:
        """The long probe. None: something else needs a look first."""
        options = workflow.ActivityConfig(
            task_queue=CONTROL_QUEUE,
            start_to_close_timeout=timedelta(days=30),
            heartbeat_timeout=timedelta(seconds=max(30.0, self._plan.probe_every * 3)),
            retry_policy=RetryPolicy(initial_interval=timedelta(seconds=1), maximum_interval=timedelta(seconds=10)),
            cancellation_type=workflow.ActivityCancellationType.TRY_CANCEL,
            summary=f"watch {self._endpoint} while {state}",
        )
        running = workflow.start_activity_method(
            Endpoints.watch, Watch(endpoint=self._endpoint, state=state), **options
        )
        left = (until - workflow.now()).total_seconds() if until else None
        await self._wait(lambda: running.done() or interrupted(), left, "look again")
        if running.done():
            return await running
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        return None

    async def _check(self) -> Found:
        self._seen_suspects = self._suspects
        found: Found = await workflow.execute_activity_method(
            Endpoints.check, self._endpoint, **control_step(f"check {self._endpoint}")
        )
        return found

    async def _set_rate(self, rate: float | None, reason: str) -> RateSet:
        task = SetRate(endpoint=self._endpoint, per_second=rate, reason=reason[:200])
        done: RateSet = await workflow.execute_activity_method(
            Endpoints.set_rate, task, **control_step(f"{self._endpoint}: {reason[:60]}")
        )
        self._held_back_by = "server" if done.by_server else "workers"
        self._to_hold_again = done.later and rate == 0
        return done

    async def _enter(self, state: State, reason: str) -> Held:
        if state != "recovering":  # which belongs to the absence that it ends
            self._since = workflow.now()
        self._state, self._reason = state, reason
        workflow.set_current_details(f"**{state}** — {reason}")
        held: Held = await workflow.execute_activity_method(
            Endpoints.held, self._endpoint, **control_step(f"what waits for {self._endpoint}")
        )
        note = EndpointNote(
            endpoint=self._endpoint,
            state=state,
            reason=reason,
            since=self._since,
            until=self._until,
            held=held,
        )
        await workflow.execute_activity_method(Endpoints.note, note, **control_step(f"{self._endpoint} is {state}"))
        return held

    async def _tell(self, what: str, text: str) -> None:
        message = TellOperators(
            key=f"endpoint:{self._endpoint}:{workflow.now():%Y%m%d%H%M%S}:{what}",
            subject=f"{self._endpoint} {what}",
            text=text,
            order_key="",
        )
        await workflow.execute_activity_method(
            Control.tell_operators, message, **control_step(f"tell: {self._endpoint} {what}")
        )
