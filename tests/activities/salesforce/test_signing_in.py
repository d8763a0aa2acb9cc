"""Signing in: both flows, one token for all, and a session that ended is renewed once without anyone noticing."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from activities.salesforce.client import SalesforceClient, SalesforceSettings
from commerce.failures import Family, SystemFailure
from tests.activities.salesforce.scripted import Answer, Scripted
from tests.sandbox_process import Sandbox

ENDED = [{"errorCode": "INVALID_SESSION_ID", "message": "Session expired or invalid"}]


def sign_ins(org: Sandbox, since: int) -> int:
    return sum(r["path"].startswith("/services/oauth2/token") for r in org.requests("salesforce", since))


def last_request(org: Sandbox) -> int:
    return max((int(r["id"]) for r in org.requests("salesforce")), default=0)


async def probe(settings: dict[str, Any]) -> None:
    client = SalesforceClient(SalesforceSettings(**settings), system="erp")
    try:
        await client.probe()
    finally:
        await client.close()


async def test_an_id_and_a_secret_open_the_org(org_settings: dict[str, Any]) -> None:
    await probe(org_settings)


@pytest.mark.parametrize("place", ["text", "file"])
async def test_a_signed_assertion_opens_the_org_each_time_anew(
    org: Sandbox, org_settings: dict[str, Any], tmp_path: Path, place: str
) -> None:
    given = org.credentials("salesforce")
    key: dict[str, Any] = {"private_key": given["private_key"]}
    if place == "file":
        path = tmp_path / "key.pem"
        path.write_text(given["private_key"], encoding="utf-8")
        key = {"private_key_file": path}
    del org_settings["client_secret"]
    settings = org_settings | {"auth": "jwt", "username": given["username"], "audience": given["audience"]} | key
    await asyncio.gather(probe(settings), probe(settings))


@pytest.mark.parametrize("changed", [{"client_secret": "Wr0ngSecret"}, {"client_id": "Wr0ngId"}])
async def test_a_refused_credential_waits_for_a_person_and_is_not_repeated_in_the_message(
    org_settings: dict[str, Any], changed: dict[str, str]
) -> None:
    with pytest.raises(SystemFailure) as caught:
        await probe(org_settings | changed)
    assert caught.value.family is Family.NEEDS_PERSON
    assert caught.value.system == "erp"
    assert "Wr0ng" not in str(caught.value) + caught.value.do_next


async def test_a_key_that_is_no_key_waits_for_a_person(org: Sandbox, org_settings: dict[str, Any]) -> None:
    del org_settings["client_secret"]
    with pytest.raises(SystemFailure) as caught:
        await probe(org_settings | {"auth": "jwt", "username": "u@example.org", "private_key": "no key at all"})
    assert caught.value.family is Family.NEEDS_PERSON
    assert "no key at all" not in str(caught.value)


async def test_many_calls_at_once_share_one_sign_in(org: Sandbox, client: SalesforceClient) -> None:
    before = last_request(org)
    await asyncio.gather(*(client.probe() for _ in range(8)))
    assert sign_ins(org, before) == 1


async def test_a_session_that_ended_is_renewed_once_for_all(org: Sandbox, client: SalesforceClient) -> None:
    await client.probe()
    before = last_request(org)
    org.faults("salesforce", {"kind": "expire-auth", "times": 1})
    rows = await asyncio.gather(*(client.query("SELECT Id FROM Account", tried="read accounts") for _ in range(6)))
    assert all(rows)
    assert sign_ins(org, before) == 1


async def test_a_write_whose_session_ended_is_done_once(script: Scripted) -> None:
    script.answers = [Answer(401, ENDED), Answer(201, {"id": "001", "success": True, "errors": [], "created": True})]
    client = SalesforceClient(script.settings(), system="erp")
    assert (await client.upsert("Account", "Key__c", "1", {"Name": "A"}, tried="t")).created
    assert [headers["Authorization"] for *_, headers, _ in script.asked] == ["Bearer t1", "Bearer t2"]
    await client.close()


@pytest.mark.parametrize("status", [401, 403])
async def test_a_fresh_session_that_is_refused_waits_for_a_person(script: Scripted, status: int) -> None:
    script.answers = [Answer(status, ENDED), Answer(status, ENDED)]
    client = SalesforceClient(script.settings(), system="erp")
    with pytest.raises(SystemFailure) as caught:
        await client.probe()
    assert caught.value.family is Family.NEEDS_PERSON
    assert (script.sign_ins, len(script.asked)) == (2, 2)
    await client.close()


async def test_an_outage_of_the_sign_in_is_not_an_unknown_outcome(org: Sandbox, client: SalesforceClient) -> None:
    org.faults("salesforce", {"kind": "status", "status": 503, "match": {"path": "/oauth2/token"}})
    with pytest.raises(SystemFailure) as caught:
        await client.upsert("Account", "c2g__CODAExternalId__c", "x", {"Name": "A"}, tried="write an account")
    assert caught.value.family is Family.TRANSIENT


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"client_secret": None}, "client_secret is missing"),
        ({"login_url": "https://login.salesforce.com"}, "My Domain"),
        ({"auth": "jwt", "private_key": "k"}, "username is missing"),
        ({"auth": "jwt", "username": "u"}, "exactly one of private_key and private_key_file"),
        ({"api_version": "68"}, "api_version"),
        ({"misspelt": 1}, "misspelt"),
    ],
)
def test_half_a_credential_is_refused_by_name(given: dict[str, Any], said: str) -> None:
    whole = {"login_url": "https://acme.my.salesforce.com", "client_id": "id", "client_secret": "s"}
    with pytest.raises(ValueError, match=said):
        SalesforceSettings(**(whole | given))


def test_secrets_do_not_show_in_the_settings_text() -> None:
    settings = SalesforceSettings(login_url="https://a.my.salesforce.com/", client_id="id", client_secret="s3cret")
    assert "s3cret" not in repr(settings)
    assert settings.login_url == "https://a.my.salesforce.com"
