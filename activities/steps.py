"""From a system's failure to what the engine does next: the one place where families become retries."""

import asyncio
from collections.abc import Callable, Coroutine
from datetime import timedelta
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from pydantic import ValidationError
from temporalio import activity
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory

from commerce.failures import Family, SystemFailure
from commerce.text import DoesNotFit

P = ParamSpec("P")
R = TypeVar("R")
S = TypeVar("S")

RETRIED = frozenset({Family.TRANSIENT, Family.OUTCOME_UNKNOWN})
# A hint past this is capped: a delay that reaches past the step's schedule-to-close would end the step at once.
LONGEST_HINT = timedelta(hours=6)
# Most calls end before the first heartbeat; the engine waits for the next one several times as long.
BEAT_SECONDS = 5.0


def as_application_error(failure: SystemFailure) -> ApplicationError:
    """The engine's error for a failure: its type is the family, its details what a parked case needs."""
    retried = failure.family in RETRIED
    hint = None
    if retried and failure.retry_after is not None:
        hint = min(timedelta(seconds=max(failure.retry_after, 0)), LONGEST_HINT)
    return ApplicationError(
        str(failure),
        {
            "tried": failure.tried,
            "came_back": failure.came_back,
            "system": failure.system,
            "code": failure.code,
            "request_id": failure.request_id,
            "do_next": failure.do_next,
        },
        type=failure.family.value,
        non_retryable=not retried,
        next_retry_delay=hint,
        category=ApplicationErrorCategory.BENIGN if retried else ApplicationErrorCategory.UNSPECIFIED,
    )


def step(method: Callable[P, Coroutine[Any, Any, R]]) -> Callable[P, Coroutine[Any, Any, R]]:
    """Decorates an activity method (below `@activity.defn`): failures leave as the engine's errors, nothing as a guess.

    A value that does not fit a target's field is refused like a rejection of the target. Anything unforeseen is our
    own mistake: it parks as BUG instead of being retried for weeks.
    """

    @wraps(method)
    async def run(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return await _carried_through(_in_time(method(*args, **kwargs)))
        except ApplicationError:
            raise
        except ValidationError as err:
            raise as_application_error(_unreadable(err, method.__name__)) from None
        except Exception as err:
            raise as_application_error(_failure_of(err, method.__name__)) from err

    return run


def ending() -> bool:
    """Whether a long activity must come to its end: its worker stops, or the engine wants it cancelled.

    The engine says the latter by one cancellation only. A library on the way may swallow that one, and an activity that
    did not look again would go on beside its successor.
    """
    return activity.is_worker_shutdown() or activity.is_cancelled()


async def unless_refused(work: Coroutine[Any, Any, R]) -> R | None:
    """What a step answers when it is made as part of a larger one; None when it was refused for good.

    The process then makes the step on its own, and that parks with what came back. Passing trouble is raised.
    """
    try:
        return await work
    except ApplicationError as err:
        if err.non_retryable:
            return None
        raise


async def both(one: Coroutine[Any, Any, R], other: Coroutine[Any, Any, S]) -> tuple[R, S]:
    """Side by side, each to its end: nothing of a step goes on after it has failed."""
    first, second = await asyncio.gather(one, other, return_exceptions=True)
    if isinstance(first, BaseException):
        raise first
    if isinstance(second, BaseException):
        raise second
    return first, second


async def _in_time(work: Coroutine[Any, Any, R]) -> R:
    async with asyncio.timeout(_time_left()):
        return await work


async def _carried_through(work: Coroutine[Any, Any, R]) -> R:
    """Do the work to its end, and tell the engine meanwhile that this worker lives: when it dies, another goes on soon.

    With the heartbeats comes the engine's wish to cancel. It is not obeyed: half a write is what an undo cannot see.
    A worker that shuts down, and a try that the engine has given up, end at once.
    """
    if not activity.in_activity():
        return await work
    running = asyncio.ensure_future(work)
    try:
        while not running.done():
            try:
                await asyncio.wait({running}, timeout=BEAT_SECONDS)
            except asyncio.CancelledError:
                if not _only_asked_to_cancel():
                    raise
            if not running.done():
                activity.heartbeat()
        return running.result()
    finally:
        if not running.done():
            running.cancel()
            await asyncio.wait({running})


def _only_asked_to_cancel() -> bool:
    details = activity.cancellation_details()
    return details is not None and details.cancel_requested and not details.worker_shutdown and not details.not_found


def _time_left() -> float | None:
    """Seconds until just before the engine gives this try up and starts another: two must never write side by side."""
    if not activity.in_activity():
        return None
    info = activity.info()
    left: list[float] = []
    if info.start_to_close_timeout is not None:
        left.append(_before(info.start_to_close_timeout))
    if info.schedule_to_close_timeout is not None:  # over all tries; both times are the server's
        left.append(_before(info.schedule_to_close_timeout) - (info.started_time - info.scheduled_time).total_seconds())
    return max(min(left), 1) if left else None


def _before(limit: timedelta) -> float:
    return limit.total_seconds() - min(5, limit.total_seconds() / 10)


def patient_step(method: Callable[P, Coroutine[Any, Any, R]]) -> Callable[P, Coroutine[Any, Any, R]]:
    """Like `step`, for our own memory: nobody can decide for it, so every failure is tried again until it is mended."""

    @wraps(method)
    async def run(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return await method(*args, **kwargs)
        except ValidationError as err:
            failure = _unreadable(err, method.__name__)
            raise ApplicationError(str(failure), type=failure.family.value) from None
        except Exception as err:
            failure = _failure_of(err, method.__name__)
            raise ApplicationError(str(failure), type=failure.family.value) from err

    return run


def _unreadable(err: ValidationError, name: str) -> SystemFailure:
    """Pydantic quotes the values that it refuses. They may be a buyer's, and histories are no place for them."""
    parts = (f"{'.'.join(str(at) for at in error['loc'])}: {error['msg']}" for error in err.errors())
    return _bug(name.replace("_", " "), f"{err.title} cannot be read: {'; '.join(parts)}")


def _bug(tried: str, said: str) -> SystemFailure:
    return SystemFailure(Family.BUG, tried, said, do_next="report this, then decide 'retry'")


def _failure_of(err: Exception, name: str) -> SystemFailure:
    tried = name.replace("_", " ")
    if isinstance(err, SystemFailure):
        return err
    if isinstance(err, TimeoutError):
        return SystemFailure(Family.OUTCOME_UNKNOWN, tried, "it took longer than a step may; it is looked up next")
    if isinstance(err, DoesNotFit):
        return SystemFailure(Family.REJECTED, tried, str(err), do_next="correct the value and decide 'correct'")
    return _bug(tried, f"{type(err).__name__}: {err}")
