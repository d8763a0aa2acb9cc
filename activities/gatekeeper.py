"""Keeps a process's gate in step with the ledger, and the ledger with what the gate has counted."""

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from temporalio.service import RPCError

from activities.budget import Budget, Level, Usage
from activities.control import TellOperators
from activities.gate import SPARING_LOOK, gate
from activities.ledger.calls import CallBook
from activities.ledger.endpoints import EndpointBook
from commerce.failures import SystemFailure

log = logging.getLogger("holdfast.gate")
COUNT_EVERY = 5.0  # seconds
SAY_EVERY = 60.0  # seconds between two words to a watch that calls are spent: it may have been busy with an outage
FORGET_EVERY = 3600.0


@dataclass(frozen=True)
class Allowances:
    """`of` names the allowance of each endpoint; several may share one. `tell` reaches operators."""

    book: CallBook
    of: Mapping[str, str]
    budgets: Mapping[str, Budget]
    tell: Callable[[TellOperators], Awaitable[None]]
    spent: Callable[[str, int, str], Awaitable[None]]


class GateKeeper:
    """`suspect` tells the watch of an endpoint of trouble there."""

    def __init__(
        self,
        book: EndpointBook,
        suspect: Callable[[str, str], Awaitable[None]],
        allowances: Allowances | None = None,
        *,
        every: float = 1.0,
    ) -> None:
        self._book = book
        self._suspect = suspect
        self._allowances = allowances
        self._every = every
        self._tasks: set[asyncio.Task[None]] = set()
        self._due: dict[str, float] = {}

    async def run(self) -> None:
        gate.on_trouble = lambda endpoint, reason: self._soon(self._report(endpoint, reason))
        if self._allowances is not None:
            gate.on_rest = lambda *asked: self._soon(self._rest(*asked))
        try:
            await self._keep()
        finally:
            gate.reset()

    async def _keep(self) -> None:
        while True:
            try:
                gate.closed, gate.no_writes = await self._book.held_back()
                if self._allowances is not None:
                    await self._keep_allowances(self._allowances)
            except SystemFailure as failure:
                log.warning("the gate stays as it is: %s", failure)
            except Exception:  # a keeper that ends would leave a closed gate closed for ever
                log.exception("the gate stays as it is")
            await asyncio.sleep(self._every)

    # ---- calls -------------------------------------------------------------------------------------------------------

    async def _keep_allowances(self, given: Allowances) -> None:
        for endpoint, (seconds, reason) in (await given.book.resting()).items():
            gate.rest(endpoint, reason, seconds)
        if not self._is_due("count", COUNT_EVERY):
            return
        await self._count(given)
        usages = await given.book.usages(given.budgets)
        gate.levels = {endpoint: usages[allowance].level for endpoint, allowance in given.of.items()}
        for allowance, usage in usages.items():
            if usage.level != "free":
                await self._say(given, allowance, usage)
        if self._is_due("forget", FORGET_EVERY):
            await given.book.forget()

    async def _count(self, given: Allowances) -> None:
        calls, said = gate.take_counts()
        counted: Counter[str] = Counter()
        for endpoint, number in calls.items():
            counted[given.of.get(endpoint, endpoint)] += number
        try:
            await given.book.add(counted, {given.of.get(endpoint, endpoint): pair for endpoint, pair in said.items()})
        except SystemFailure:
            gate.give_back(calls)
            raise

    async def _say(self, given: Allowances, allowance: str, usage: Usage) -> None:
        endpoints = sorted(endpoint for endpoint, of in given.of.items() if of == allowance)
        names = ", ".join(endpoints)
        share = f"{usage.used} of {usage.allowed} calls of 24 hours are used"
        day = datetime.now(UTC).date()
        if self._is_due(f"{allowance} {usage.level}", SAY_EVERY):
            # The key makes it one notice a day for each level, over all workers.
            message = TellOperators(
                key=f"calls:{allowance}:{usage.level}:{day}",
                subject=f"{names}: {_SUBJECT[usage.level]}",
                text=f"{share} ({'the vendor says' if usage.by_vendor else 'our own count'}).\n{_TEXT[usage.level]}",
                order_key="",
            )
            await given.tell(message)
            if usage.level == "spent":
                for endpoint in endpoints:
                    self._soon(self._spent(given, endpoint, share))

    async def _spent(self, given: Allowances, endpoint: str, share: str) -> None:
        try:
            await given.spent(endpoint, SPARING_LOOK, share)
        except RPCError as err:
            log.warning("the watch of %s could not be told that its calls are spent: %s", endpoint, err)

    async def _rest(self, endpoint: str, reason: str, seconds: float) -> None:
        log.warning("%s asked for a rest of %.0f s: %s", endpoint, seconds, reason)
        if self._allowances is None:
            return
        try:
            await self._allowances.book.slow_down(endpoint, reason, seconds)
        except SystemFailure as failure:  # this worker keeps it all the same
            log.warning("the other workers could not be told: %s", failure)

    # ---- trouble -----------------------------------------------------------------------------------------------------

    async def _report(self, endpoint: str, reason: str) -> None:
        try:
            await self._suspect(endpoint, reason)
        except RPCError as err:
            log.warning("the watch of %s could not be told: %s", endpoint, err)

    def _soon(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _is_due(self, what: str, every: float) -> bool:
        now = asyncio.get_running_loop().time()
        if now < self._due.get(what, 0.0):
            return False
        self._due[what] = now + every
        return True


_SUBJECT: dict[Level, str] = {
    "warned": "many of its daily calls are used",
    "reserve": "the last of its daily calls are kept for money",
    "spent": "its daily calls are spent",
}
_TEXT: dict[Level, str] = {
    "warned": "Everything goes on. Raise the allowance with the vendor, or let other programs call it less.",
    "reserve": "Orders, payments, invoices and refunds go on; feeds and probes slow down; notes in the shop wait.",
    "spent": "Its work waits until calls are free again, and goes on by itself. Other systems go on.",
}
