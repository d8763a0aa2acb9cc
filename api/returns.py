"""The buyer's browser comes back from paying. It proves nothing: it only makes the run look at the entry at once."""

import asyncio
from collections import OrderedDict
from typing import Annotated, Literal

from fastapi import APIRouter, Query
from fastapi.responses import RedirectResponse, Response
from temporalio.service import RPCError

from api.backing import Backing, Base
from api.errors import Refusal
from api.pages import page

router = APIRouter(tags=["buyers"])
# Anybody can open this address: one look per order and minute, so that nobody fills a run's history.
_QUIET_SECONDS = 60.0
_REMEMBERED = 10_000


class Looks:
    """When the run of an order was last asked to look, in this process."""

    def __init__(self) -> None:
        self._at: OrderedDict[str, float] = OrderedDict()

    def is_due(self, key: str) -> bool:
        now = asyncio.get_running_loop().time()
        last = self._at.get(key)
        if last is not None and now - last < _QUIET_SECONDS:
            return False
        self._at[key] = now
        self._at.move_to_end(key)
        while len(self._at) > _REMEMBERED:
            self._at.popitem(last=False)
        return True


_looks = Looks()


@router.get("/v1/return/{store}/{number}", summary="The buyer's browser returns from the payment page", status_code=303)
async def come_back(
    store: str,
    number: str,
    backing: Base,
    outcome: Annotated[
        Literal["success", "failure", "cancel", ""], Query(description="What the payment page says")
    ] = "",
) -> Response:
    """Public. Leads to the store's `return_url` when one is configured, else to a small page of our own."""
    found = backing.settings.stores.get(store)
    if found is None:
        raise Refusal(404, "not-found", f"there is no store {store!r}")
    await _look(backing, f"{store}:{number}")
    if found.return_url:
        return RedirectResponse(found.return_url, 303)
    mail = found.customer_mail and backing.settings.mail is not None
    return page("returned.html", number=number, outcome=outcome, mail=mail)


async def _look(backing: Backing, key: str) -> None:
    """The buyer is led on in any case: the feed sees the payment also without this hint."""
    if not _looks.is_due(key):
        return
    try:
        runs = await backing.engine.runs()
        await runs.hint(key, "entry")
    except (Refusal, RPCError):
        return
