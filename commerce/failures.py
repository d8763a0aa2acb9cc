"""The six families of failure, by what happens next (docs/failures.md). Clients raise them; workflows act on them."""

from enum import StrEnum


class Family(StrEnum):
    TRANSIENT = "Transient"  # nothing happened, may work later: retry, obey the server's hint
    OUTCOME_UNKNOWN = "OutcomeUnknown"  # it may have happened: look it up by key before anything else
    ALREADY_DONE = "AlreadyDone"  # the target says it exists: fetch it, compare it, carry on
    REJECTED = "Rejected"  # the target will never take this: park with field and rule
    NEEDS_PERSON = "NeedsPerson"  # policy, not fault: park and wait for a decision
    BUG = "Bug"  # our own mistake: park loudly, keep the state


class SystemFailure(Exception):
    """A call to an outside system that did not end well.

    `tried` says what was attempted in plain words, `came_back` what the system answered, `request_id` is the vendor's
    own id of the request, `retry_after` the server's wait hint in seconds, `do_next` the next step for a person.
    Never put credentials or personal data in any of them.
    """

    def __init__(
        self,
        family: Family,
        tried: str,
        came_back: str,
        *,
        system: str = "",
        code: str = "",
        request_id: str = "",
        retry_after: int | None = None,
        do_next: str = "",
    ) -> None:
        super().__init__(f"{tried}: {came_back}" + (f" [request {request_id}]" if request_id else ""))
        self.family = family
        self.tried = tried
        self.came_back = came_back
        self.system = system
        self.code = code
        self.request_id = request_id
        self.retry_after = retry_after
        self.do_next = do_next
