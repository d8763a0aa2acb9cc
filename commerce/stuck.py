"""Runs that cannot go on, in the words that operators read."""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal

from commerce.model import Model, UtcDatetime

CHECKOUT, GOODS, LATE_PAYMENT = "CheckoutPaymentInvoice", "OrderFulfillmentTracking", "LatePayment"
OF_ORDERS = (CHECKOUT, GOODS, LATE_PAYMENT)
_LISTED = 20  # in one notice
_DO_NEXT = {
    "failing": "report these words; nothing is lost, and the run goes on by itself with the release that mends it",
    "ended": "nobody follows the order any more",
}
_TAKE_UP = {
    GOODS: "`starter.py follow {order}` has its goods followed again",
    LATE_PAYMENT: "look at the order's payment entry; the next news of it is followed again",
}
_RESET = "`temporal workflow reset --workflow-id {run} --type LastWorkflowTask --reason …` takes it up where it stood"


class StuckRun(Model):
    """`failing`: its task fails again and again. `ended`: it ended in the engine while its order was open."""

    workflow_id: str
    run_id: str
    process: str
    kind: Literal["failing", "ended"]
    reason: str
    since: UtcDatetime
    over_at: UtcDatetime | None = None
    outcome: str = ""

    @property
    def order_key(self) -> str:
        """Empty for a run that is not about one order."""
        return self.workflow_id.partition(":")[2] if self.process in OF_ORDERS else ""

    @property
    def do_next(self) -> str:
        if self.kind == "failing":
            return _DO_NEXT["failing"]
        remedy = _TAKE_UP.get(self.process, _RESET).format(order=self.order_key, run=self.workflow_id)
        return f"{_DO_NEXT['ended']}: {remedy}"

    def words(self) -> str:
        what = "cannot go on" if self.kind == "failing" else "has ended in the engine"
        since = f"{self.since:%Y-%m-%d %H:%M} UTC"
        return f"Run {self.workflow_id} {what} since {since}: {self.reason}. To do: {self.do_next}."


def subject(runs: Sequence[StuckRun], *, over: bool) -> str:
    what = "over: " if over else ""
    if len(runs) == 1:
        return f"{what}run {runs[0].workflow_id} cannot go on"
    return f"{what}{len(runs)} runs cannot go on"


def text(runs: Sequence[StuckRun], *, over: bool) -> str:
    lines = [_over(run) if over else run.words() for run in runs[:_LISTED]]
    more = len(runs) - _LISTED
    if more > 0:
        lines.append(f"and {more} more")
    return "\n\n".join([*lines, "`starter.py status` and the console's overview list all that cannot go on now."])


def _over(run: StuckRun) -> str:
    return f"{run.workflow_id}: {run.outcome}, {_span(run.since, run.over_at)} after it got stuck"


def _span(since: datetime, until: datetime | None) -> str:
    minutes = int(((until or since) - since).total_seconds() // 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"
