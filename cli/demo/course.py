"""One order of the demo on its way, as it is seen from outside: what the API shows, and what went wrong."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from cli.demo.orders import Fate, Planned
from commerce.documents import CLOSED_STAGES, Stage


@dataclass
class Course:
    """`trouble`: what went wrong with placing, paying, cancelling or shipping it. `goods`: as the API shows them.

    `pays_late`: its buyer takes time, and pays while the ERP is away.
    """

    planned: Planned
    pays_late: bool = False
    key: str = ""
    stage: str = "to come"
    link: str = ""
    goods: Mapping[str, Any] = field(default_factory=dict)
    why_parked: list[str] = field(default_factory=list)
    trouble: str = ""
    paid: bool = False
    linked: asyncio.Event = field(default_factory=asyncio.Event)  # it has a link, or will never have one
    looked: asyncio.Condition = field(default_factory=asyncio.Condition)

    @property
    def standing(self) -> str:
        """Its stage, then where its goods are; or why it has none."""
        if self.why_parked:
            return "parked"
        if self.trouble and not self.key:
            return "refused"
        return str(self.goods["state"]) if self.completed and self.goods else self.stage

    @property
    def completed(self) -> bool:
        """Paid and invoiced: its goods may leave."""
        return self.stage == Stage.COMPLETED.value

    @property
    def settled(self) -> bool:
        """At its end (with its goods, where it has any), waiting for a person, or in trouble that no waiting mends."""
        goods_to_come = self.planned.fate is Fate.COMPLETED and self.completed and not self.goods.get("ended")
        ended = self.stage in {stage.value for stage in CLOSED_STAGES} and not goods_to_come
        return ended or bool(self.why_parked) or bool(self.trouble)

    async def until(self, good: Callable[[], bool]) -> bool:
        """Whether it became good, as the API shows it; False when it came to its end, or to a person, before."""
        async with self.looked:
            await self.looked.wait_for(lambda: good() or self.settled)
        return good()
