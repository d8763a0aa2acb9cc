"""Log-in: who gets a token, for how long, and how the token endpoint says no."""

import time
from typing import Any

import httpx2
import jwt
import pytest

from sandbox.salesforce.org import USER_ID
from tests.sandbox.salesforce.conftest import Platform

GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"


def assertion(platform: Platform, **changes: Any) -> str:
    known = platform.vendor.credentials()
    claims = {
        "iss": known["client_id"],
        "sub": known["username"],
        "aud": known["audience"],
        "exp": int(time.time()) + 240,
    }
    return jwt.encode(claims | changes, known["private_key"], algorithm="RS256")


async def ask(platform: Platform, **form: str) -> httpx2.Response:
    return await platform.http.post("/services/oauth2/token", data=form)


async def bearer(platform: Platform, token: str) -> httpx2.Response:
    return await platform.call("GET", "/limits", headers={"authorization": f"Bearer {token}"})


async def test_a_signed_assertion_buys_a_token_that_works(platform: Platform) -> None:
    reply = await ask(platform, grant_type=GRANT, assertion=assertion(platform))
    assert reply.status_code == 200, reply.text
    answer = reply.json()
    assert answer["instance_url"] == platform.url
    assert answer["token_type"] == "Bearer"
    assert "expires_in" not in answer
    assert (await bearer(platform, answer["access_token"])).status_code == 200


async def test_an_assertion_is_good_for_one_token(platform: Platform) -> None:
    signed = assertion(platform)
    assert (await ask(platform, grant_type=GRANT, assertion=signed)).status_code == 200
    again = await ask(platform, grant_type=GRANT, assertion=signed)
    assert (again.status_code, again.json()["error"]) == (400, "invalid_grant")


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"exp": int(time.time()) - 5}, "invalid_grant"),
        ({"exp": int(time.time()) + 3600}, "invalid_grant"),
        ({"aud": "https://elsewhere.example"}, "invalid_grant"),
        ({"sub": "someone@else.example"}, "invalid_grant"),
        ({"iss": "3MVG9wrong"}, "invalid_client_id"),
    ],
    ids=["expired", "too far ahead", "audience", "user not approved", "unknown client"],
)
async def test_an_assertion_with_a_wrong_claim_is_refused(
    platform: Platform, changes: dict[str, Any], error: str
) -> None:
    reply = await ask(platform, grant_type=GRANT, assertion=assertion(platform, **changes))
    assert (reply.status_code, reply.json()["error"]) == (400, error)
    assert reply.json()["error_description"]


async def test_an_assertion_signed_with_another_key_is_refused(platform: Platform) -> None:
    header, claims, _ = assertion(platform).split(".")
    forged = f"{header}.{claims}.{assertion(platform, sub='other').split('.')[2]}"
    reply = await ask(platform, grant_type=GRANT, assertion=forged)
    assert (reply.status_code, reply.json()["error"]) == (400, "invalid_grant")


async def test_client_credentials_are_taken_from_the_form_or_from_basic(platform: Platform) -> None:
    known = platform.vendor.credentials()
    basic = (known["client_id"], known["client_secret"])
    reply = await platform.http.post("/services/oauth2/token", data={"grant_type": "client_credentials"}, auth=basic)
    assert reply.status_code == 200
    assert reply.json()["issued_at"].isdigit()
    wrong = await ask(platform, grant_type="client_credentials", client_id=known["client_id"], client_secret="wrong")
    assert wrong.status_code == 401
    assert wrong.json()["error"] == "invalid_client"


async def test_the_password_grant_does_not_exist(platform: Platform) -> None:
    reply = await ask(platform, grant_type="password", username="a", password="b")
    assert (reply.status_code, reply.json()["error"]) == (400, "unsupported_grant_type")


@pytest.mark.parametrize("header", ["", "Bearer nonsense", "Basic abc"])
async def test_a_call_without_a_session_gets_401_and_an_array(platform: Platform, header: str) -> None:
    reply = await platform.call("GET", "/limits", headers={"authorization": header})
    assert reply.status_code == 401
    assert reply.json() == [{"message": "Session expired or invalid", "errorCode": "INVALID_SESSION_ID"}]


async def test_sessions_end_when_people_end_them(platform: Platform) -> None:
    async with platform.world.unit():
        assert platform.vendor.act("expire-tokens", {})["expired"] >= 1
    assert (await platform.call("GET", "/limits")).status_code == 401
    await platform.log_in()
    assert (await platform.call("GET", "/limits")).status_code == 200


async def test_a_session_ends_without_use_and_introspection_knows_when(platform: Platform) -> None:
    known = platform.vendor.credentials()
    token = platform.http.headers["authorization"].removeprefix("Bearer ")
    basic = (known["client_id"], known["client_secret"])
    told = (await platform.http.post("/services/oauth2/introspect", data={"token": token}, auth=basic)).json()
    assert told["active"] is True
    assert 7100 < told["exp"] - time.time() <= 7200
    async with platform.world.unit():
        platform.vendor.act("configure", {"session_seconds": 0})
    await platform.log_in()
    assert (await platform.call("GET", "/limits")).status_code == 401


async def test_a_revoked_token_is_worth_nothing(platform: Platform) -> None:
    token = platform.http.headers["authorization"].removeprefix("Bearer ")
    assert (await platform.http.post("/services/oauth2/revoke", data={"token": token})).status_code == 200
    assert (await platform.call("GET", "/limits")).status_code == 401


async def test_userinfo_names_the_integration_user(platform: Platform) -> None:
    told = (await platform.http.get("/services/oauth2/userinfo")).json()
    assert told["user_id"] == USER_ID
    assert told["preferred_username"] == platform.vendor.credentials()["username"]


async def test_the_fault_expire_auth_ends_the_session_in_the_middle(platform: Platform) -> None:
    platform.world.set_faults("salesforce", [{"kind": "expire-auth", "times": 1}])
    first = await platform.call("GET", "/limits")
    second = await platform.call("GET", "/limits")
    assert [first.status_code, second.status_code] == [401, 401]
    assert first.json()[0]["errorCode"] == "INVALID_SESSION_ID"
