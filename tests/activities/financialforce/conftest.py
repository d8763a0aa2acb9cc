"""FinancialForce as the worker connects it, signed in to the sandbox's org."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from activities.financialforce.activities import FinancialForce
from activities.financialforce.fulfillment import FinancialForceFulfillment
from activities.financialforce.settings import FinancialForceSettings
from activities.salesforce.settings import SalesforceSettings
from tests.sandbox_process import Sandbox

CURRENCIES = ("EUR", "USD", "JPY", "KWD", "CHF")


def settings_for(org: Sandbox, **changes: Any) -> FinancialForceSettings:
    given = org.credentials("salesforce")
    salesforce = SalesforceSettings(
        login_url=org.url("salesforce"),
        client_id=given["client_id"],
        client_secret=given["client_secret"],
        timeout_seconds=30,
    )
    banks = {code: f"Bank {code}" for code in CURRENCIES}
    return FinancialForceSettings(**{"salesforce": salesforce, "bank_accounts": banks, **changes})


@pytest.fixture(scope="module")
def org(sandbox: Sandbox) -> Sandbox:
    sandbox.reset()
    return sandbox


@pytest.fixture
async def erp(org: Sandbox) -> AsyncIterator[FinancialForce]:
    erp = FinancialForce(settings_for(org), system="ff-de")
    yield erp
    org.no_faults("salesforce")
    await erp.close()


@pytest.fixture
def goods(org: Sandbox, erp: FinancialForce) -> FinancialForceFulfillment:
    return FinancialForceFulfillment(settings_for(org), system="ff-de", client=erp.client)
