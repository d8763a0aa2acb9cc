"""What holds a system back must also let go of it, whatever broke on the way."""

import asyncio
import contextlib
from typing import Any, cast

import pytest
from temporalio.testing import ActivityEnvironment

from activities import endpoints
from activities.endpoints import EndpointActivities
from activities.gate import gate
from activities.gatekeeper import GateKeeper
from activities.ledger.endpoints import EndpointBook
from activities.watch import Watch, WatchPlan
from workflows.profiles import control_step

DEADLINE = 5.0


async def test_a_check_of_a_system_that_hangs_says_so_within_the_time_of_its_step(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    allowed = control_step("check")["start_to_close_timeout"].total_seconds()
    assert allowed - 1 > endpoints.CHECK_LIMIT * 2 + 0.5
    monkeypatch.setattr(endpoints, "CHECK_LIMIT", 0.05)

    async def hangs() -> None:
        await asyncio.Event().wait()

    nothing = cast(Any, None)
    checks = EndpointActivities(nothing, nothing, {"erp": hangs}, {}, "test")
    found = await asyncio.wait_for(ActivityEnvironment().run(checks.check, "erp"), DEADLINE)
    assert (found.up, found.reason.startswith("no answer")) == (False, True)


@pytest.mark.parametrize("swallowed", [False, True], ids=["at the end of a probe", "and a library swallows it"])
async def test_a_watch_that_is_cancelled_ends_and_probes_no_more(*, swallowed: bool) -> None:
    running = ActivityEnvironment()
    probes = 0

    async def answers() -> None:
        nonlocal probes
        probes += 1
        running.cancel()
        if swallowed:
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(0)

    nothing = cast(Any, None)
    watching = EndpointActivities(nothing, nothing, {"shop": answers}, {"shop": WatchPlan(probe_every=0.01)}, "test")
    with contextlib.suppress(asyncio.CancelledError):
        async with asyncio.timeout(DEADLINE):
            await running.run(watching.watch, Watch(endpoint="shop", state="up"))
    assert probes == 1


async def test_a_gate_opens_again_after_an_error_that_nobody_foresaw() -> None:
    answers: list[dict[str, str] | Exception] = [{"erp": "down"}, ValueError("odd"), {}]

    class Book:
        async def held_back(self) -> tuple[dict[str, str], dict[str, str]]:
            answer = answers.pop(0) if len(answers) > 1 else answers[0]
            if isinstance(answer, Exception):
                raise answer
            return answer, {}

    async def suspect(endpoint: str, reason: str) -> None:
        raise AssertionError("there is no trouble")

    keeper = asyncio.create_task(GateKeeper(cast(EndpointBook, Book()), suspect, every=0.01).run())
    try:
        async with asyncio.timeout(DEADLINE):
            while len(answers) > 1 or gate.closed:
                assert not keeper.done()
                await asyncio.sleep(0.01)
    finally:
        keeper.cancel()
        await asyncio.gather(keeper, return_exceptions=True)
