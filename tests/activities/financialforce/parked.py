"""How a step refuses: the engine's error with the family as its type and the case's four parts as its details."""

from collections.abc import Awaitable
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError


async def refused(call: Awaitable[Any], family: str) -> dict[str, Any]:
    """The case that the step leaves, which must be of this family and complete."""
    with pytest.raises(ApplicationError) as caught:
        await call
    assert caught.value.type == family, str(caught.value)
    case: dict[str, Any] = caught.value.details[0]
    assert case["tried"]
    assert case["came_back"]
    assert case["do_next"]
    return case
