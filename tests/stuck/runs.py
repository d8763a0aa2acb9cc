"""Small processes that meet what nobody foresaw, in the release that fails and in the one that mends it."""

import asyncio
from datetime import timedelta

from temporalio import activity, workflow
from temporalio.exceptions import ActivityError, ApplicationError

with workflow.unsafe.imports_passed_through():
    from workflows.running import StepRunning


@activity.defn(name="small.refuse")
async def refuse() -> None:
    raise ApplicationError("the books are closed", type="Refused", non_retryable=True)


async def _refused() -> None:
    await workflow.execute_activity("small.refuse", start_to_close_timeout=timedelta(seconds=10))


class _Open(StepRunning):
    def __init__(self) -> None:
        super().__init__("de", workflow.info().workflow_id)
        self.ended = False

    @workflow.signal
    def end(self) -> None:
        self.ended = True


@workflow.defn(name="Small")
class Fails(_Open):
    """Its own way, what runs beside it, a signal or an update fails, as the input says."""

    @workflow.run
    async def run(self, where: str) -> str:
        if where == "own":
            await _refused()
        if where == "meant":
            raise ApplicationError("half a comparison is none", type="NotCompared")
        beside = self._begin_beside(_refused()) if where == "beside" else None
        await workflow.wait_condition(lambda: self.ended)
        return "went on" if beside is None or not beside.done() else "lost what failed beside it"

    @workflow.signal
    def odd(self) -> None:
        raise ApplicationError("this signal is odd")

    @workflow.update
    async def ask(self) -> str:
        raise ApplicationError("it cannot be asked for", type="Impossible")


@workflow.defn(name="Small")
class Mended(_Open):
    """The next release foresees it, everywhere."""

    @workflow.run
    async def run(self, where: str) -> str:
        if where == "own":
            try:
                await _refused()
            except ActivityError:
                return "mended"
        beside = asyncio.create_task(_refused()) if where == "beside" else None
        await workflow.wait_condition(lambda: self.ended)
        if beside is not None:
            await asyncio.gather(beside, return_exceptions=True)
        return "mended"

    @workflow.signal
    def odd(self) -> None:
        self.ended = True


@workflow.defn
class Sleeper:
    """Looks at the clock when its timer fires, and sleeps again for as long as it believes to be too early."""

    def __init__(self) -> None:
        self._early = False

    @workflow.run
    async def run(self, sleeps: timedelta) -> bool:
        until = workflow.now() + sleeps
        await workflow.sleep(sleeps)
        while workflow.now() < until:
            self._early = True
            await workflow.sleep(until - workflow.now())
        return self._early

    @workflow.query
    def woke(self) -> bool:
        return self._early
