"""Endpoint watch: one run follows the health of one connected system for ever.

Down: the server stops dispatching the system's queue, so that no try is burned and no call hits the dead system. Back:
the dispatch rate is raised in steps, so that a recovering system is not trampled. People are told both times, with what
is held. Planned maintenance uses the same switch (`pause`, `resume`).
"""

import asyncio
import contextlib
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Literal

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from activities.control import Control, TellOperators
    from activities.watch import EndpointNote, Endpoints, Found, Held, RateSet, SetRate, State, Watch, WatchPlan
    from commerce.model import Model, UtcDatetime
    from workflows.names import CONTROL_QUEUE
    from workflows.profiles import control_step


class EndpointInput(Model):
    """State that survives a continue-as-new."""

    endpoint: str
    state: State = "up"
    since: UtcDatetime | None = None
    until: UtcDatetime | None = None
    reason: str = ""


class Pause(Model):
    by: str
    reason: str
    until: UtcDatetime | None = None


class Resume(Model):
    by: str
    reason: str = ""


class EndpointView(Model):
    endpoint: str
    state: State
    since: UtcDatetime
    until: UtcDatetime | None
    reason: str
    held_back_by: str


@workflow.defn(name="EndpointWatch")
class EndpointWatch:
    @workflow.init
    def __init__(self, given: EndpointInput) -> None:
        self._endpoint = given.endpoint
        self._state: State = given.state
        self._since: datetime = given.since or workflow.now()
        self._until: datetime | None = given.until
        self._reason = given.reason
        self._suspects = 0
        self._pause: Pause | None = None
        self._resume: Resume | None = None
        self._held_back_by = "server"
        self._plan = WatchPlan()
        self._fresh = given.since is None

    @workflow.run
    async def run(self, given: EndpointInput) -> None:
        self._plan = await workflow.execute_activity_method(
            Endpoints.plan, self._endpoint, **control_step(f"how {self._endpoint} is watched")
        )
        if self._fresh:
            await self._enter("up", "the watch starts")
        while not workflow.info().is_continue_as_new_suggested():
            if self._state == "paused":
                await self._wait_out_pause()
            elif self._state == "up":
                await self._follow_up()
            elif self._state == "down":
                await self._follow_down()
            else:
                await self._recover()
        await workflow.wait_condition(workflow.all_handlers_finished)
        workflow.continue_as_new(
            EndpointInput(
                endpoint=self._endpoint,
                state=self._state,
                since=self._since,
                until=self._until,
                reason=self._reason,
            )
        )

    # ---- states ------------------------------------------------------------------------------------------------------

    async def _follow_up(self) -> None:
        seen = self._suspects
        found = await self._watch("up", lambda: self._suspects != seen or self._pause is not None)
        if self._pause is not None:
            await self._begin_pause()
        elif found is None:  # workers report a run of failures: see for ourselves, at once
            check = await workflow.execute_activity_method(
                Endpoints.check, self._endpoint, **control_step(f"check {self._endpoint}")
            )
            if not check.up:
                await self._go_down(check.reason)
        elif not found.up:
            await self._go_down(found.reason)

    async def _follow_down(self) -> None:
        found = await self._watch("down", lambda: self._pause is not None)
        if self._pause is not None:
            await self._begin_pause()
        elif found is not None and found.up:
            await self._enter("recovering", f"answers again since {workflow.now():%H:%M:%S} UTC")

    async def _recover(self) -> None:
        """Raise the rate in steps; a new failure on the way goes back to down."""
        for rate in self._plan.ramp:
            await self._set_rate(rate, f"recovering, {rate:g} steps per second")
            seen = self._suspects
            try:
                await workflow.wait_condition(
                    lambda seen=seen: self._suspects != seen or self._pause is not None,  # type: ignore[misc]
                    timeout=timedelta(seconds=self._plan.ramp_step),
                    timeout_summary=f"{rate:g} steps per second",
                )
            except TimeoutError:
                continue
            if self._pause is not None:
                await self._begin_pause()
                return
            check = await workflow.execute_activity_method(
                Endpoints.check, self._endpoint, **control_step(f"check {self._endpoint}")
            )
            if not check.up:
                await self._go_down(check.reason)
                return
        await self._set_rate(None, "recovered")
        down_for = workflow.now() - self._since
        await self._enter("up", f"recovered after {_span(down_for)}")
        await self._tell("is back", f"It was away for {_span(down_for)}. The backlog drains at its normal pace now.")

    async def _go_down(self, reason: str) -> None:
        rate = await self._set_rate(0, reason)
        await self._enter("down", reason)
        held = await self._held()
        kept = "" if rate.by_server else f"\n{rate.note}"
        await self._tell(
            "is down",
            f"{reason}\n{_sentence(held)}\nOther systems go on; work goes on by itself when it is back.{kept}",
        )

    async def _begin_pause(self) -> None:
        pause, self._pause, self._resume = self._pause, None, None
        if pause is None:
            return
        await self._set_rate(0, f"paused by {pause.by}: {pause.reason}")
        self._until = pause.until
        await self._enter("paused", f"{pause.reason} ({pause.by})")
        until = f" until {pause.until:%Y-%m-%d %H:%M} UTC" if pause.until else ""
        await self._tell(f"is paused{until}", f"{pause.reason} ({pause.by})\n{_sentence(await self._held())}")

    async def _wait_out_pause(self) -> None:
        left = self._until - workflow.now() if self._until else None
        with contextlib.suppress(TimeoutError):
            await workflow.wait_condition(
                lambda: self._resume is not None or self._pause is not None,
                timeout=max(left, timedelta(0)) if left is not None else None,
                timeout_summary="pause ends",
            )
        if self._pause is not None:
            await self._begin_pause()
            return
        self._until = None
        by = f"resumed by {self._resume.by}" if self._resume else "the pause ended"
        await self._enter("recovering", by)

    # ---- steps -------------------------------------------------------------------------------------------------------

    async def _watch(self, state: Literal["up", "down"], interrupted: Callable[[], bool]) -> Found | None:
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
        await workflow.wait_condition(lambda: running.done() or interrupted())
        if running.done():
            return await running
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        return None

    async def _set_rate(self, rate: float | None, reason: str) -> RateSet:
        task = SetRate(endpoint=self._endpoint, per_second=rate, reason=reason[:200])
        done: RateSet = await workflow.execute_activity_method(
            Endpoints.set_rate, task, **control_step(f"{self._endpoint}: {reason[:60]}")
        )
        self._held_back_by = "server" if done.by_server else "workers"
        return done

    async def _enter(self, state: State, reason: str) -> None:
        if state != "recovering":  # which belongs to the absence that it ends
            self._since = workflow.now()
        self._state, self._reason = state, reason
        workflow.set_current_details(f"**{state}** — {reason}")
        note = EndpointNote(
            endpoint=self._endpoint,
            state=state,
            reason=reason,
            since=self._since,
            until=self._until,
            held=await self._held(),
        )
        await workflow.execute_activity_method(Endpoints.note, note, **control_step(f"{self._endpoint} is {state}"))

    async def _held(self) -> Held:
        return await workflow.execute_activity_method(
            Endpoints.held, self._endpoint, **control_step(f"what waits for {self._endpoint}")
        )

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

    # ---- messages ----------------------------------------------------------------------------------------------------

    @workflow.signal
    def suspect(self, reason: str) -> None:
        """A worker met a run of failures. The watch sees for itself before it believes it."""
        self._suspects += 1

    @workflow.update
    async def pause(self, request: Pause) -> str:
        self._pause = request
        return f"{self._endpoint} is being paused"

    @pause.validator
    def _may_pause(self, request: Pause) -> None:
        if request.until is not None and request.until <= workflow.now():
            raise ApplicationError(f"until {request.until:%Y-%m-%d %H:%M} UTC has passed", type="Impossible")

    @workflow.update
    async def resume(self, request: Resume) -> str:
        self._resume = request
        return f"{self._endpoint} is being resumed"

    @resume.validator
    def _may_resume(self, request: Resume) -> None:
        if self._state != "paused":
            raise ApplicationError(f"{self._endpoint} is {self._state}, not paused", type="Impossible")

    @workflow.query
    def view(self) -> EndpointView:
        return EndpointView(
            endpoint=self._endpoint,
            state=self._state,
            since=self._since,
            until=self._until,
            reason=self._reason,
            held_back_by=self._held_back_by,
        )


def _sentence(held: Held) -> str:
    words = held.words()
    return words[0].upper() + words[1:] + "."


def _span(length: timedelta) -> str:
    minutes, seconds = divmod(int(length.total_seconds()), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {seconds} s" if minutes else f"{seconds} s"
