"""What becomes of a failure: its family decides whether the engine tries again, when, and what a person reads."""

import asyncio
import dataclasses
from datetime import timedelta

import pytest
from pydantic import BaseModel, Field, ValidationError
from temporalio import activity
from temporalio.api.failure.v1 import Failure
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory
from temporalio.testing import ActivityEnvironment

from activities.steps import LONGEST_HINT, as_application_error, patient_step, step
from commerce.failures import Family, SystemFailure
from commerce.text import DoesNotFit
from workflows.converter import data_converter
from workflows.profiles import _FINAL

FAMILIES = [
    (Family.TRANSIENT, True),
    (Family.OUTCOME_UNKNOWN, True),
    (Family.ALREADY_DONE, False),
    (Family.REJECTED, False),
    (Family.NEEDS_PERSON, False),
    (Family.BUG, False),
]


class Steps:
    """Activities that fail as told."""

    def __init__(self, err: BaseException) -> None:
        self._err = err

    @activity.defn(name="test.book_receipt")
    @step
    async def book_receipt(self, task: str) -> str:
        raise self._err

    @activity.defn(name="test.keep_order")
    @patient_step
    async def keep_order(self, task: str) -> str:
        raise self._err


async def failed(err: BaseException, *, patient: bool = False) -> ApplicationError:
    steps = Steps(err)
    with pytest.raises(ApplicationError) as caught:
        await ActivityEnvironment().run(steps.keep_order if patient else steps.book_receipt, "x")
    return caught.value


def failure(family: Family, **more: object) -> SystemFailure:
    return SystemFailure(
        family,
        "book receipt of de:1001",
        "period 2026/02 is closed",
        system="erp",
        code="C1",
        request_id="R-7",
        do_next="open it",
        **more,  # type: ignore[arg-type]
    )


def test_the_table_has_every_family() -> None:
    assert {family for family, _ in FAMILIES} == set(Family)


@pytest.mark.parametrize(("family", "retried"), FAMILIES)
async def test_a_family_is_retried_or_final(family: Family, retried: bool) -> None:
    err = await failed(failure(family))
    assert err.type == family.value
    assert err.non_retryable is not retried
    expected = ApplicationErrorCategory.BENIGN if retried else ApplicationErrorCategory.UNSPECIFIED
    assert err.category is expected
    if retried:
        assert family.value not in _FINAL


@pytest.mark.parametrize("family", list(Family))
async def test_a_person_finds_all_parts_of_the_message(family: Family) -> None:
    err = await failed(failure(family))
    assert str(err).endswith("book receipt of de:1001: period 2026/02 is closed [request R-7]")
    assert err.details[0] == {
        "tried": "book receipt of de:1001",
        "came_back": "period 2026/02 is closed",
        "system": "erp",
        "code": "C1",
        "request_id": "R-7",
        "do_next": "open it",
    }


@pytest.mark.parametrize(
    ("family", "asked", "delay"),
    [
        (Family.TRANSIENT, 30, timedelta(seconds=30)),
        (Family.OUTCOME_UNKNOWN, 30, timedelta(seconds=30)),
        (Family.TRANSIENT, 10**9, LONGEST_HINT),
        (Family.TRANSIENT, -5, timedelta(0)),
        (Family.TRANSIENT, None, None),
        (Family.REJECTED, 30, None),
        (Family.NEEDS_PERSON, 30, None),
    ],
)
def test_the_servers_hint_is_obeyed_up_to_a_limit(family: Family, asked: int | None, delay: timedelta | None) -> None:
    assert as_application_error(failure(family, retry_after=asked)).next_retry_delay == delay


async def test_a_value_that_does_not_fit_is_refused_like_a_rejection() -> None:
    err = await failed(DoesNotFit("Name takes 80 characters, the value has 81"))
    assert (err.type, err.non_retryable) == (Family.REJECTED.value, True)
    assert err.details[0]["do_next"] == "correct the value and decide 'correct'"


async def test_the_unforeseen_parks_as_our_own_mistake() -> None:
    err = await failed(KeyError("entry"))
    assert (err.type, err.non_retryable) == (Family.BUG.value, True)
    assert err.details[0]["tried"] == "book receipt"
    assert err.details[0]["came_back"] == "KeyError: 'entry'"


async def test_what_the_engine_itself_raises_is_left_alone() -> None:
    own = ApplicationError("as it is", type="Own")
    assert await failed(own) is own


async def test_a_cancellation_is_never_turned_into_a_failure() -> None:
    with pytest.raises(asyncio.CancelledError):
        await ActivityEnvironment().run(Steps(asyncio.CancelledError()).book_receipt, "x")


class Reply(BaseModel):
    """A vendor's answer; unlike our own models it does not hide what it refuses."""

    country: str = Field(pattern="^[A-Z]{2}$")


@pytest.mark.parametrize("patient", [False, True])
async def test_what_a_buyer_wrote_never_gets_into_the_history(patient: bool) -> None:
    with pytest.raises(ValidationError) as refused:
        Reply.model_validate({"country": "Zoë Großmann, Straße 1"})
    err = await failed(refused.value, patient=patient)
    assert err.type == Family.BUG.value
    assert "Reply cannot be read: country: String should match pattern" in str(err)
    kept = Failure()
    await data_converter.encode_failure(err, kept)
    assert "Straße" in str(refused.value)
    assert b"Stra" not in kept.SerializeToString()


@pytest.mark.parametrize("family", list(Family))
async def test_our_own_memory_is_tried_again_whatever_happened(family: Family) -> None:
    err = await failed(failure(family), patient=True)
    assert (err.type, err.non_retryable) == (family.value, False)
    unforeseen = await failed(RuntimeError("odd"), patient=True)
    assert (unforeseen.type, unforeseen.non_retryable) == (Family.BUG.value, False)


class Slow:
    @activity.defn(name="test.slow")
    @step
    async def slow(self, task: str) -> str:
        await asyncio.Event().wait()
        return task


async def test_a_step_that_takes_too_long_ends_before_the_engine_starts_another() -> None:
    environment = ActivityEnvironment()
    environment.info = dataclasses.replace(environment.info, start_to_close_timeout=timedelta(seconds=5.1))
    with pytest.raises(ApplicationError) as caught:
        await environment.run(Slow().slow, "x")
    assert (caught.value.type, caught.value.non_retryable) == (Family.OUTCOME_UNKNOWN.value, False)
