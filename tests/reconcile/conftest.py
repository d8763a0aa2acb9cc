"""A stand of its own whose workers read two rows a page, so that whatever is read takes more than one."""

from collections.abc import AsyncIterator

import pytest

from activities import reconcile_books
from activities.salesforce import changed
from tests.flow.stand import Stand, standing
from tests.flow.world import World


@pytest.fixture(scope="package")
async def stand() -> AsyncIterator[Stand]:
    also = {"SYSTEMS__MAGENTO__PAGE_SIZE": "2", "RECONCILIATION__OVERLAP_MINUTES": "0"}
    async with standing({f"HOLDFAST__{name}": value for name, value in also.items()}) as made:
        yield made


@pytest.fixture(scope="package")
async def world(stand: Stand) -> AsyncIterator[World]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(changed, "PAGE", 2)
        patch.setattr(reconcile_books, "ORDERS_AT_ONCE", 2)
        async with stand.workers():
            yield World(stand)


@pytest.fixture(autouse=True)
async def _no_faults_left(stand: Stand) -> AsyncIterator[None]:
    yield
    for name in ("magento", "salesforce", "juston", "mail"):
        stand.sandbox.no_faults(name)
