"""The operator of a chaos run: decides parked cases by the plan's rule, and everything else by trying again."""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from tests.chaos.portal import Api

LOOK_EVERY_SECONDS = 1.0
LATE = "late payment"  # the step of a late payment of a completed order
RETRIES = 6  # of one order's unforeseen cases; then it stays parked, and the verdict names it

Rules = Mapping[str, str]


class Operator:
    """`unforeseen` has a line for every case that the plan does not foresee; `foreseen` counts the others by step."""

    def __init__(self, api: Api, rules_of: Callable[[str], Rules]) -> None:
        self.unforeseen: list[dict[str, str]] = []
        self.foreseen: Counter[str] = Counter()
        self.open: dict[str, dict[str, Any]] = {}
        self._api = api
        self._rules_of = rules_of
        self._known: dict[str, str] = {}
        self._decided: set[tuple[str, str]] = set()  # order and step
        self._tries: Counter[str] = Counter()

    async def run(self) -> None:
        """Look, decide, and look again, for ever."""
        while True:
            cases = await self._api.parked()
            self.open = {case["id"]: case for case in cases}
            await asyncio.gather(*(self._decide(case) for case in cases))
            await asyncio.sleep(LOOK_EVERY_SECONDS)

    def has_decided(self, key: str, step: str) -> bool:
        """Whether a case of the order was decided at this step."""
        return (key, step) in self._decided

    async def _decide(self, case: Mapping[str, Any]) -> None:
        decision = self._known.get(case["id"]) or self._choose(case)
        if not decision:
            return
        reply = await self._api.decide(case["id"], decision, f"by the plan: {decision}")
        if reply is not None and reply.status < 300:
            self._decided.add((case["order_key"], case["step"]))

    def _choose(self, case: Mapping[str, Any]) -> str:
        key, step = case["order_key"], case["step"]
        decision = self._rules_of(key).get(step, "")
        if decision:
            self.foreseen[step] += 1
        elif self._tries[key] < RETRIES:
            self._tries[key] += 1
            decision = "retry"
            self.unforeseen.append({"order": key, "step": step, "why": case["came_back"]})
        self._known[case["id"]] = decision
        return decision
