"""A client signed in to the sandbox's org."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from activities.salesforce.client import SalesforceClient, SalesforceSettings
from tests.activities.salesforce.scripted import Scripted, scripted
from tests.sandbox_process import Sandbox


@pytest.fixture(scope="module")
def org(sandbox: Sandbox) -> Sandbox:
    sandbox.reset()
    return sandbox


@pytest.fixture
def org_settings(org: Sandbox) -> dict[str, Any]:
    """Settings of the sandbox's org for client credentials, to be changed by a test."""
    given = org.credentials("salesforce")
    return {
        "login_url": org.url("salesforce"),
        "client_id": given["client_id"],
        "client_secret": given["client_secret"],
        "timeout_seconds": 30,
    }


@pytest.fixture
async def client(org: Sandbox, org_settings: dict[str, Any]) -> AsyncIterator[SalesforceClient]:
    client = SalesforceClient(SalesforceSettings(**org_settings), system="erp")
    yield client
    org.no_faults("salesforce")
    await client.close()


@pytest.fixture
def script() -> Iterator[Scripted]:
    with scripted() as script:
        yield script
