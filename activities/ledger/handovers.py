"""From checkout to fulfillment: what a checkout handed over is taken up, also what was handed over long ago.

A checkout writes its hand-over in the same transaction as its end. Whoever finds it there starts the order's next run;
the run's id makes it one, however many workers look, and the run notes that it has taken the order up.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from temporalio.service import RPCError

from activities.ledger.store import Ledger
from commerce.failures import SystemFailure

log = logging.getLogger("holdfast.handovers")
BATCH = 200


class HandOvers:
    def __init__(self, ledger: Ledger, start: Callable[[str], Awaitable[None]], every: float = 1.0) -> None:
        self._ledger = ledger
        self._start = start
        self._every = every

    async def run(self) -> None:
        while True:
            try:
                for order_key in await self._ledger.handovers(limit=BATCH):
                    await self._start(order_key)
            except (RPCError, SystemFailure) as err:
                log.warning("hand-overs wait: %s", err)
            except Exception:  # a keeper that ends would leave booked orders behind
                log.exception("hand-overs wait")
            await asyncio.sleep(self._every)
