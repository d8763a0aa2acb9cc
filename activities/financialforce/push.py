"""What the org pushes about goods: Change Data Capture of the objects that the feed follows."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

from activities.changes import Told
from activities.financialforce.feed import followed
from activities.financialforce.settings import FinancialForceSettings
from activities.salesforce.auth import Login
from activities.salesforce.pubsub import ChangeEvents


class FinancialForcePush:
    """`source` is the feed that reads what the hints name."""

    def __init__(self, settings: FinancialForceSettings, *, system: str, login: Login) -> None:
        self.name = self.name_of(system)
        self.system = system
        self.source = f"{system}:fulfillment"
        self._followed = followed(settings)
        self._events = ChangeEvents(settings.push, login, system=system)

    @staticmethod
    def name_of(system: str) -> str:
        return f"{system}:change-events"

    async def listen(self, replay_id: bytes | None) -> AsyncGenerator[Told, None]:
        async with aclosing(self._events.listen(replay_id)) as batches:
            async for batch in batches:
                ours = [change for change in batch.changes if change.sobject in self._followed]
                references = dict.fromkeys(f"{change.sobject}/{record}" for change in ours for record in change.records)
                lost = sorted({change.kind for change in batch.changes if not change.records})
                yield Told(references=tuple(references), replay_id=batch.replay_id, gap=", ".join(lost))
