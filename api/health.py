"""Is the process up, and can it serve? For load balancers and for `starter.py`."""

import asyncio
from collections.abc import Awaitable

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from api.backing import Backing, Base
from api.errors import RETRY_AFTER, Refusal, refusal_of
from commerce.model import Model

router = APIRouter(tags=["health"])
WITHIN = 2.0  # seconds for each


class Health(Model):
    status: str


class Readiness(Model):
    """`ok`, or what is wrong, for each part."""

    ledger: str
    engine: str


@router.get("/healthz", summary="The process is up")
async def healthz() -> Health:
    return Health(status="up")


@router.get(
    "/readyz",
    response_model=Readiness,
    summary="The ledger and the engine answer",
    responses={503: {"model": Readiness}},
)
async def readyz(backing: Base) -> JSONResponse:
    ledger, engine = await asyncio.gather(_told(backing.ledger.handovers(limit=1)), _told(_engine(backing)))
    ready = ledger == engine == "ok"
    headers = {} if ready else {"Retry-After": str(RETRY_AFTER)}
    answer = Readiness(ledger=ledger, engine=engine)
    return JSONResponse(answer.model_dump(), 200 if ready else 503, headers=headers)


async def _engine(backing: Backing) -> None:
    client = await backing.engine.client()
    if not await client.service_client.check_health():
        raise Refusal(503, "unavailable", "Temporal says that it does not serve")


async def _told(check: Awaitable[object]) -> str:
    try:
        async with asyncio.timeout(WITHIN):
            await check
    except TimeoutError:
        return f"no answer within {WITHIN:.0f} s"
    except Exception as err:  # noqa: BLE001  # whatever it is, it is the answer here
        return refusal_of(err).message.partition(";")[0]
    return "ok"
