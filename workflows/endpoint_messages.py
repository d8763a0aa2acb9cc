"""What an endpoint watch is told and asked, and what it takes over from its run before."""

from activities.watch import State
from commerce.model import Model, UtcDatetime


class Pause(Model):
    by: str
    reason: str
    until: UtcDatetime | None = None


class Resume(Model):
    by: str
    reason: str = ""


class CallsSpent(Model):
    """The system allows no more calls. It is looked at again after `seconds`."""

    seconds: int
    reason: str


class EndpointInput(Model):
    """State that survives a continue-as-new. `pause` and `resume` were asked for and are still to be carried out.

    `planned`: the absence that a recovery ends was planned, or nobody was told of it. `opened_until`: somebody opened
    it outside its window. `freed`: so often its queue was freed in vain.
    """

    endpoint: str
    state: State = "up"
    since: UtcDatetime | None = None
    until: UtcDatetime | None = None
    reason: str = ""
    planned: bool = False
    opened_until: UtcDatetime | None = None
    pause: Pause | None = None
    resume: Resume | None = None
    suspects: int = 0
    freed: int = 0


class EndpointView(Model):
    endpoint: str
    state: State
    since: UtcDatetime
    until: UtcDatetime | None
    reason: str
    held_back_by: str
