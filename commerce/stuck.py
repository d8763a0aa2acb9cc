"""Runs that cannot go on, in the words that operators read."""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal

from pydantic import Field

from commerce.model import Model, UtcDatetime

CHECKOUT, GOODS, LATE_PAYMENT = "CheckoutPaymentInvoice", "OrderFulfillmentTracking", "LatePayment"
OF_ORDERS = (CHECKOUT, GOODS, LATE_PAYMENT)
FEED = "ChangeFeed"
Kind = Literal["failing", "ended", "feed"]
_LISTED = 20  # in one notice
_DO_NEXT = {
    "failing": "report these words; nothing is lost, and the run goes on by itself with the release that mends it",
    "ended": "nobody follows the order any more: `starter.py stuck {order} --restart --reason …` takes it up where it "
    "stood, `--dismiss` says that it was ended on purpose",
}


class Settled(Model):
    """What a person decided about a run that has ended: it was started again, or dismissed for good."""

    how: Literal["restart", "dismiss"]
    by: str
    reason: str
    at: UtcDatetime

    def about(self, run: "StuckRun") -> str:
        if self.how == "restart":
            return f"{self.by} started {run.name} again, which had ended ({run.reason}): {self.reason}"
        return f"{self.by} dismissed {run.name}, which has ended ({run.reason}): {self.reason}"


class StuckRun(Model):
    """`failing`: its task fails again and again. `ended`: it ended in the engine while its order was open.

    `feed`: what changes in a system cannot be read, for another reason than that it is away. It is not about one run:
    `run_id` names what is read, `remedy` says what mends it.
    """

    workflow_id: str
    run_id: str
    process: str
    kind: Kind
    reason: str
    remedy: str = Field(default="", description="What to do; empty: it goes by the kind")
    since: UtcDatetime
    over_at: UtcDatetime | None = None
    outcome: str = ""

    @property
    def order_key(self) -> str:
        """Empty for a run that is not about one order."""
        return self.workflow_id.partition(":")[2] if self.process in OF_ORDERS else ""

    @property
    def name(self) -> str:
        """As people read it; the id of a feed's run says already that it is one."""
        return f"feed {self.workflow_id.partition(':')[2]}" if self.kind == "feed" else f"run {self.workflow_id}"

    @property
    def do_next(self) -> str:
        return self.remedy or _DO_NEXT[self.kind].format(order=self.order_key)

    def words(self) -> str:
        what = "has ended in the engine" if self.kind == "ended" else "cannot go on"
        since = f"{self.since:%Y-%m-%d %H:%M} UTC"
        name = f"{self.name[0].upper()}{self.name[1:]}"
        return f"{name} {what} since {since}: {self.reason}. To do: {self.do_next}."


def subject(runs: Sequence[StuckRun], *, over: bool) -> str:
    what = "over: " if over else ""
    if len(runs) == 1:
        return f"{what}{runs[0].name} cannot go on"
    kinds = "feeds" if all(run.kind == "feed" for run in runs) else "runs"
    return f"{what}{len(runs)} {kinds} cannot go on"


def text(runs: Sequence[StuckRun], *, over: bool) -> str:
    lines = [_over(run) if over else run.words() for run in runs[:_LISTED]]
    more = len(runs) - _LISTED
    if more > 0:
        lines.append(f"and {more} more")
    return "\n\n".join([*lines, "`starter.py stuck` and the console's overview list all that cannot go on now."])


def _over(run: StuckRun) -> str:
    return f"{run.name.removeprefix('run ')}: {run.outcome}, {_span(run.since, run.over_at)} after it got stuck"


def _span(since: datetime, until: datetime | None) -> str:
    minutes = int(((until or since) - since).total_seconds() // 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"
