"""The console's page of goods that should be further than they are."""

from collections import Counter
from datetime import UTC, datetime

from fastapi.responses import Response
from starlette.requests import Request

from activities.ledger.fulfillment import Late
from api.backing import Backing
from api.body import as_model
from api.console.session import Session
from api.errors import Refusal
from api.goods import LateLimits, late_orders
from api.pages import page
from commerce.money import Money, by_currency


async def late(request: Request, backing: Backing, session: Session) -> Response:
    """What `GET /v1/late` tells, with the limits that were asked for; those that make no sense are said, and kept."""
    asked = {name: request.query_params.get(name, "").strip() for name in LateLimits.model_fields}
    limits, refused, rows = LateLimits(), None, []
    try:
        limits = as_model({name: value for name, value in asked.items() if value}, LateLimits)
        rows = await late_orders(backing, session.caller, limits)
    except Refusal as refusal:
        if refusal.status != 422:
            raise
        refused = refusal
    return page(
        "late.html",
        status=refused.status if refused else 200,
        session=session,
        rows=rows,
        kinds=Counter(row.what for row in rows),
        sums=_sums(rows),
        orders=len({row.order_key for row in rows}),
        asked={name: asked[name] or f"{value:g}" for name, value in limits.model_dump().items()},
        problems=refused.by_field() if refused else {},
        now=datetime.now(UTC),
    )


def _sums(rows: list[Late]) -> tuple[Money, ...]:
    """An order that is late for two reasons is worth its money once."""
    return by_currency({row.order_key: row.amount for row in rows}.values())
