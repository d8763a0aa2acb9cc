"""JustOn against the sandbox: the hosted service and the org, both by real HTTP."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from activities.juston.activities import JustOnBilling, JustOnPayments
from activities.juston.hosted import HostedClient
from activities.juston.settings import JustOnSettings
from activities.salesforce.client import SalesforceClient
from tests.activities.juston.desk import Notes, settings
from tests.sandbox_process import Sandbox


def settings_for(sandbox: Sandbox, **changes: Any) -> JustOnSettings:
    """Settings that reach the sandbox's JustOn, which is made to work at a test's pace."""
    sandbox.act("juston", "configure", entry_delay_ms=100, payment_delay_ms=50, refund_delay_ms=50)
    hosted, org = sandbox.credentials("juston"), sandbox.credentials("salesforce")
    values: dict[str, Any] = {
        "hosted_url": sandbox.url("juston"),
        "tenant": hosted["tenant"],
        "api_token": hosted["token"],
        "hosted_timeout_seconds": 0.7,
        "visible_after_seconds": 0.8,
        "invoice_cancellation_action": "custom/apex/ONB2__InvoiceCancellation",
        "webhook_secret": "shared",
        "salesforce": {
            "login_url": sandbox.url("salesforce"),
            "client_id": org["client_id"],
            "client_secret": org["client_secret"],
            "timeout_seconds": 30,
        },
    }
    return settings(**{**values, **changes})


@pytest.fixture(scope="session")
def live_settings(sandbox: Sandbox) -> JustOnSettings:
    return settings_for(sandbox)


@pytest.fixture(scope="session")
async def org(live_settings: JustOnSettings) -> AsyncIterator[SalesforceClient]:
    client = SalesforceClient(live_settings.salesforce, system="juston")
    yield client
    await client.close()


@pytest.fixture(scope="session")
async def hosted(live_settings: JustOnSettings) -> AsyncIterator[HostedClient]:
    client = HostedClient(live_settings, system="juston")
    yield client
    await client.close()


@pytest.fixture
def notes() -> Notes:
    return Notes()


@pytest.fixture
def payments(
    live_settings: JustOnSettings, org: SalesforceClient, hosted: HostedClient, notes: Notes
) -> JustOnPayments:
    return JustOnPayments(live_settings, system="juston", salesforce=org, hosted=hosted, memory=notes)


@pytest.fixture
def billing(live_settings: JustOnSettings, org: SalesforceClient) -> JustOnBilling:
    return JustOnBilling(live_settings, system="juston", salesforce=org)


@pytest.fixture(autouse=True)
def _no_faults_left(request: pytest.FixtureRequest) -> Iterator[None]:
    """A test's faults end with it."""
    yield
    if "sandbox" in request.fixturenames:
        running: Sandbox = request.getfixturevalue("sandbox")
        for name in ("juston", "salesforce"):
            running.no_faults(name)


@pytest.fixture
def keys_not_guarded(sandbox: Sandbox) -> Iterator[None]:
    """A JustOn that takes any number of entries under one key: only Holdfast keeps them to one."""
    sandbox.act("juston", "configure", duplicate_keys="allow")
    yield
    sandbox.act("juston", "configure", duplicate_keys="refuse")
