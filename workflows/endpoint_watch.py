"""Endpoint watch: one run follows the health of one connected system for ever.

Down: the server stops dispatching the system's queue, so that no try is burned and no call hits the dead system. Back:
the dispatch rate is raised in steps, so that a recovering system is not trampled. People are told both times, with what
is held. Planned maintenance uses the same switch (`pause`, `resume`), and so do the system's windows for writes.

A person goes before the plan: a pause lasts through every window, and `resume` opens a closed system until its windows
say something new. A system that is down when its window opens is down, and people hear of it.
"""

from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from activities.watch import (
        Endpoints,
        Held,
        Moves,
    )
    from workflows.endpoint_messages import CallsSpent, EndpointInput, EndpointView, Pause, Resume
    from workflows.endpoint_steps import HOLD_AGAIN, EndpointSteps
    from workflows.profiles import control_step

HELD_BACK = ("down", "paused", "closed", "spent")
LONGEST_PAUSE = 300.0  # seconds between two times that a queue is freed which stands still
TELL_AFTER = 2  # times that it was freed in vain


@workflow.defn(name="EndpointWatch")
class EndpointWatch(EndpointSteps):
    @workflow.init
    def __init__(self, given: EndpointInput) -> None:
        super().__init__(given)

    @workflow.run
    async def run(self, given: EndpointInput) -> None:
        await self._renew_plan()
        if self._fresh:
            await self._enter("up", "the watch starts")
        while not workflow.info().is_continue_as_new_suggested():
            if self._refresh:
                await self._take_up_settings()
            spent, self._spent = self._spent, None
            if spent is not None and self._state in ("up", "recovering"):
                await self._hold_for_calls(spent)
            if self._pause is not None:
                await self._begin_pause(self._pause)
            elif self._state == "paused":
                await self._wait_out_pause()
            elif self._state in ("closed", "spent"):
                await self._wait_for_opening()
            elif self._state == "up":
                await self._follow_up()
            elif self._state == "down":
                await self._follow_down()
            else:
                await self._recover()
        await workflow.wait_condition(workflow.all_handlers_finished)
        workflow.continue_as_new(self._what_goes_on())

    # ---- states ------------------------------------------------------------------------------------------------------

    async def _follow_up(self) -> None:
        await self._renew_plan()
        if self._is_shut():
            await self._close()
            return
        found = await self._watch("up", self._suspected, until=self._plan.opening.until)
        if self._called():
            return
        if self._suspected():  # workers report a run of failures: see for ourselves, at once
            found = await self._check()
        if found is None:
            return
        if not found.up:
            await self._go_down(found.reason)
        elif found.stands:
            self._since, self._planned = workflow.now(), True
            await self._enter("recovering", f"its queue stands still and is freed again: {found.stands}")

    async def _follow_down(self) -> None:
        again = workflow.now() + timedelta(seconds=HOLD_AGAIN) if self._to_hold_again else None
        found = await self._watch("down", lambda: False, until=again)
        if self._called():
            return
        if found is None and self._to_hold_again:
            await self._set_rate(0, self._reason)
        if found is None or not found.up:
            return
        await self._renew_plan()
        if self._is_shut():
            away = _span(workflow.now() - self._since)
            await self._close()
            await self._tell("is back", f"It was away for {away}. It is {self._reason}; work for it waits until then.")
        else:
            await self._enter("recovering", f"answers again since {workflow.now():%H:%M:%S} UTC")

    async def _recover(self) -> None:
        """Raise the rate in steps; a new failure on the way goes back to down."""
        for rate in self._plan.ramp:
            await self._set_rate(rate, f"recovering, {rate:g} steps per second")
            self._seen_suspects = self._suspects
            if not await self._wait(self._suspected, self._plan.ramp_step, f"{rate:g} steps per second"):
                continue
            if self._called():
                return
            found = await self._check()
            if not found.up:
                await self._go_down(found.reason)
                return
        freed = await self._set_rate(None, "recovered")
        if freed.later:
            await self._free_again(freed.note)
            return
        moves: Moves = await workflow.execute_activity_method(
            Endpoints.moves, self._endpoint, **control_step(f"does the queue of {self._endpoint} move")
        )
        if moves.stands:
            await self._free_again(f"its queue stands still: {moves.stands}")
            return
        self._freed = 0
        down_for = workflow.now() - self._since
        await self._enter("up", f"recovered after {_span(down_for)}")
        if not self._planned:
            text = f"It was away for {_span(down_for)}. The backlog drains at its normal pace now."
            await self._tell("is back", text)

    async def _free_again(self, why: str) -> None:
        """It answers, and its steps are not handed out, so it is not up. The ramp comes again, with its other rates."""
        self._freed += 1
        await self._enter("recovering", f"answers, but its steps are not taken up. {why}")
        if self._freed == TELL_AFTER:
            self._planned = False  # people will hear of its end, too
            text = (
                f"It answers, but its steps are not taken up. {why}\nIts queue is freed again until they are. "
                "Check that a worker runs and serves it; everything else goes on."
            )
            await self._tell("stands still", text)
        pause = min(self._plan.standstill / 3 * 2 ** min(self._freed - 1, 10), LONGEST_PAUSE)
        await self._wait(self._suspected, pause, "until its queue is freed again")
        if self._called():
            return
        found = await self._check()
        if not found.up:
            await self._go_down(found.reason)

    async def _go_down(self, reason: str) -> None:
        rate = await self._set_rate(0, reason)
        self._planned, self._freed = False, 0
        held = await self._enter("down", reason)
        kept = "" if rate.by_server else f"\n{rate.note}"
        await self._tell(
            "is down",
            f"{reason}\n{_sentence(held)}\nOther systems go on; work goes on by itself when it is back.{kept}",
        )

    async def _begin_pause(self, pause: Pause) -> None:
        self._pause = self._resume = None
        await self._set_rate(0, f"paused by {pause.by}: {pause.reason}")
        self._until, self._planned = pause.until, False
        held = await self._enter("paused", f"{pause.reason} ({pause.by})")
        until = f" until {pause.until:%Y-%m-%d %H:%M} UTC" if pause.until else ""
        await self._tell(f"is paused{until}", f"{pause.reason} ({pause.by})\n{_sentence(held)}")

    async def _wait_out_pause(self) -> None:
        ended = not await self._wait_until(self._until, "pause ends")
        if self._resume is None and not ended:
            return
        by = f"resumed by {self._resume.by}" if self._resume else "the pause ended"
        self._resume = self._until = None
        await self._renew_plan()
        if self._is_shut():
            await self._close()
        else:
            await self._come_back(by)

    async def _close(self) -> None:
        """Planned, so that nobody is told."""
        until = f"closed until {self._plan.until_words}" if self._plan.until_words else "closed"
        await self._set_rate(0, until)
        self._until, self._planned = self._plan.opening.until, True
        await self._enter("closed", f"{until}, by its write_windows")

    async def _hold_for_calls(self, spent: CallsSpent) -> None:
        """Operators hear of it from whoever counts the calls, once a day."""
        await self._set_rate(0, spent.reason)
        self._until, self._planned = workflow.now() + timedelta(seconds=spent.seconds), True
        await self._enter("spent", spent.reason)

    async def _wait_for_opening(self) -> None:
        ended = not await self._wait_until(self._until, "held back until then")
        if self._resume is None and not ended:
            return
        by = "its window opens" if self._state == "closed" else "its calls are counted again"
        if self._resume is not None:
            by = f"opened by {self._resume.by}"
        self._opened_until = self._until if self._resume else None
        self._resume = self._until = None
        await self._renew_plan()
        if self._is_shut():  # other windows were configured meanwhile
            await self._close()
        else:
            await self._come_back(by)

    async def _come_back(self, why: str) -> None:
        """After it was held back on purpose: what failed meanwhile was not seen."""
        found = await self._check()
        if found.up:
            await self._enter("recovering", why)
        else:
            await self._go_down(found.reason)

    async def _take_up_settings(self) -> None:
        """A worker has started. Its settings may be other ones, and a server may have forgotten what it holds back."""
        self._refresh = False
        await self._renew_plan()
        if self._state in HELD_BACK:
            await self._set_rate(0, self._reason)
        if self._state == "spent":
            self._until = None
            await self._come_back("its settings were read again")
        elif self._state == "closed":
            if not self._is_shut():
                self._until = None
                await self._come_back("its windows were changed")
            elif self._until != self._plan.opening.until:
                await self._close()

    # ---- messages ----------------------------------------------------------------------------------------------------

    @workflow.signal
    def suspect(self, reason: str) -> None:
        """A worker met a run of failures. The watch sees for itself before it believes it."""
        self._suspects += 1

    @workflow.signal
    def refresh(self) -> None:
        """A worker has started, perhaps with other settings."""
        self._refresh = True

    @workflow.signal
    def calls_spent(self, spent: CallsSpent) -> None:
        """The gate refuses all calls already; this keeps the steps in their queue."""
        if self._state in ("up", "recovering"):
            self._spent = spent

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
        if self._pause is not None:  # asked for a moment ago, and not carried out yet
            self._pause = None
            if self._state not in ("paused", "closed"):
                return f"{self._endpoint} is not going to be paused"
        self._resume = request
        return f"{self._endpoint} is being resumed"

    @resume.validator
    def _may_resume(self, request: Resume) -> None:
        if self._state not in ("paused", "closed") and self._pause is None:
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
