"""How the connected systems stand: the watch's notes from the ledger, and from the engine what waits at this moment."""

import asyncio
from collections.abc import Mapping
from datetime import timedelta

from temporalio.client import Client
from temporalio.service import RPCError

from activities.budget import Usage
from activities.engine_away import is_away
from activities.held import held_by, queued
from activities.ledger.calls import CallBook
from activities.ledger.endpoints import EndpointBook
from activities.pushes import Place, place_in
from activities.watch import EndpointNote, Held
from api.backing import Backing
from api.errors import Refusal
from commerce.model import Model
from settings.allowances import allowances, budgets
from settings.systems import push_names
from workflows.names import NOTIFY, system_queue

_WITHIN = timedelta(seconds=3)


class EndpointList(Model):
    """`notify` is the queue of mails and portal messages, which has no watch: each message is tried on its own.

    `calls` is how many of its calls in 24 hours each endpoint has used; endpoints of one org share them.
    `pushes` are the streams that are listened to, besides the feeds; with `trouble` the feed alone finds what changes.
    `counted_now` False: the engine does not answer, and `held` is what was counted when the state last changed.
    """

    endpoints: tuple[EndpointNote, ...]
    notify: Held = Held()
    calls: Mapping[str, Usage] = {}
    pushes: Mapping[str, Place] = {}
    counted_now: bool = True


async def standing(backing: Backing) -> EndpointList:
    """Raises SystemFailure while the ledger is away."""
    book = EndpointBook(backing.ledger.engine)
    notes = await book.all()
    usages = await CallBook(backing.ledger.engine).usages(budgets(backing.settings))
    calls = {endpoint: usages[allowance] for endpoint, allowance in allowances(backing.settings).items()}
    listened = push_names(backing.settings, listened=True)
    pushes = {name: place_in(await backing.ledger.cursor(name)) for name in listened}
    try:
        client = await backing.engine.client()
        counted = await asyncio.gather(*(_now(client, book, note) for note in notes))
        steps, since = await queued(client, system_queue(NOTIFY), within=_WITHIN)
    except Refusal:
        return EndpointList(endpoints=tuple(notes), calls=calls, pushes=pushes, counted_now=False)
    except RPCError as err:
        if not is_away(err):
            raise
        return EndpointList(endpoints=tuple(notes), calls=calls, pushes=pushes, counted_now=False)
    mails = Held(steps=steps, step_since=since)
    return EndpointList(endpoints=tuple(counted), notify=mails, calls=calls, pushes=pushes)


async def _now(client: Client, book: EndpointBook, note: EndpointNote) -> EndpointNote:
    if note.state == "up":  # orders pass by; only what stays in the queue says something
        steps, since = await queued(client, system_queue(note.endpoint), within=_WITHIN)
        held = Held(steps=steps, step_since=since)
    else:
        held = await held_by(client, book, note.endpoint, within=_WITHIN)
    return note.model_copy(update={"held": held})
