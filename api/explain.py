"""Why is an order waiting, and what moves it? In plain words, for portals and operators alike."""

from collections.abc import Sequence

from commerce.documents import Case, Stage

_OPEN = {
    Stage.RECEIVED: "The order was accepted and begins as soon as a worker takes it up; nothing to do.",
    Stage.CHECKING: "The order, its customer and its items are checked with the ERP; nothing to do.",
    Stage.AWAITING_PAYMENT: "Waiting for the buyer to pay; send the buyer to the payment link, or cancel the order.",
    Stage.BOOKING: "The order and its payments are booked in the ERP; nothing to do.",
    Stage.BILLING: "Waiting for the billing system's invoice run; nothing to do.",
    Stage.WRITING_BACK: "The shop is told the invoice and the references; nothing to do.",
    Stage.UNDOING: "The order was stopped, and what was done is undone; nothing to do.",
}
_CLOSED = {
    Stage.COMPLETED: "Paid, booked and invoiced; handed over to fulfillment.",
    Stage.CANCELLED: "Cancelled, and what was done was undone.",
    Stage.EXPIRED: "Nobody paid in time; what was done was undone. Place the order anew under another number.",
    Stage.GIVEN_UP: "A person gave the order up, and what was done was undone.",
}


def next_step(stage: Stage, waiting_on: str, cases: Sequence[Case], *, live: bool = True) -> str:
    """What the order waits for and what to do. A parked case comes before everything else."""
    if cases:
        told = [f"{case.step} needs a person: {case.came_back}. To do: {case.do_next}." for case in cases]
        return " ".join(text.replace("..", ".") for text in told)
    if stage in _CLOSED:
        return _CLOSED[stage]
    if not live:
        return (
            "The order is kept and its run is open, but the run cannot be asked: no worker answers for it, or its last "
            "step failed on the worker. See that a worker runs, or look at the run in the Temporal UI."
        )
    told_stage = _OPEN[stage]
    named = waiting_on and stage is not Stage.AWAITING_PAYMENT
    return f"{told_stage} Waits for {waiting_on}." if named else told_stage
