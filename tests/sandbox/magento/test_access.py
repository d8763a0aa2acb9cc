"""Who may call: admin tokens, OAuth signatures the server's way, guests; and the vendor's own faults."""

import base64
import hashlib
import hmac
import secrets
import time
from datetime import timedelta
from urllib.parse import quote

import httpx2
import pytest

from sandbox.magento.auth import natural_compare
from tests.sandbox.magento.shop_client import ShopClient

UNAUTHORIZED = {
    "message": "The consumer isn't authorized to access %resources.",
    "parameters": {"resources": "Magento_Sales::actions_view"},
}


def encode(text: str) -> str:
    return quote(text, safe="~")


def oauth_header(
    shop: ShopClient, method: str, url: str, query: list[tuple[str, str]], order: list[str], **changes: str
) -> str:
    """An OAuth header whose base string has the query's names in `order`, after the oauth_ ones."""
    keys = shop.vendor.shop.settings["integration"]
    oauth = {
        "oauth_consumer_key": keys["consumer_key"],
        "oauth_nonce": secrets.token_hex(8),
        "oauth_signature_method": "HMAC-SHA256",
        "oauth_timestamp": str(int(time.time())),
        "oauth_token": keys["access_token"],
    } | changes
    named = dict(query)
    pairs = sorted(oauth.items()) + [(name, named[name]) for name in order]
    text = "&".join(f"{encode(name)}={encode(value)}" for name, value in pairs)
    base = "&".join((method, encode(url), encode(text)))
    key = f"{keys['consumer_secret']}&{keys['access_token_secret']}".encode()
    oauth["oauth_signature"] = base64.b64encode(hmac.new(key, base.encode(), hashlib.sha256).digest()).decode()
    return "OAuth " + ",".join(f'{name}="{encode(value)}"' for name, value in oauth.items())


async def signed(shop: ShopClient, names: list[str], order: list[str], **changes: str) -> httpx2.Response:
    """GET orders with filters whose query names are `names`, signed in `order`."""
    url = str(shop.http.base_url).rstrip("/") + "/rest/all/V1/orders"
    query = [(name, "x") for name in names]
    header = oauth_header(shop, "GET", url, query, order, **changes)
    raw = "&".join(f"{encode(name)}={encode(value)}" for name, value in query)
    return await shop.http.get(f"/rest/all/V1/orders?{raw}", headers={"authorization": header})


def names_of(count: int) -> list[str]:
    return [f"searchCriteria[filter_groups][{index}][filters][0][field]" for index in range(count)]


async def test_eleven_filters_are_accepted_only_when_signed_in_natural_order(shop: ShopClient) -> None:
    names = names_of(11)
    # The stand-in refuses the unknown column `x` with 500 once the signature is accepted.
    assert (await signed(shop, names, names)).status_code == 500
    refused = await signed(shop, names, sorted(names))
    assert refused.status_code == 401
    assert refused.json() == {"message": "The signature is invalid. Verify and try again."}


async def test_a_nonce_serves_once(shop: ShopClient) -> None:
    assert (await signed(shop, names_of(1), names_of(1), oauth_nonce="once")).status_code == 500
    assert (await signed(shop, names_of(1), names_of(1), oauth_nonce="once")).status_code == 401


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"oauth_signature_method": "HMAC-SHA1"}, 400),
        ({"oauth_version": "2.0"}, 400),
        ({"oauth_nonce": ""}, 400),
        ({"oauth_token": "0" * 32}, 401),
        ({"oauth_consumer_key": "0" * 32}, 401),
        ({"oauth_timestamp": str(int(time.time()) + 3600)}, 401),
        ({"oauth_timestamp": "yesterday"}, 401),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else str(value),
)
async def test_a_wrong_oauth_parameter_is_refused(shop: ShopClient, changes: dict[str, str], status: int) -> None:
    assert (await signed(shop, names_of(1), names_of(1), **changes)).status_code == status


def test_natural_order_is_that_of_php() -> None:
    assert natural_compare("a%5B2%5D", "a%5B10%5D") < 0
    assert natural_compare("a2", "a2b") < 0
    assert natural_compare("b", "a") > 0
    assert natural_compare("x1", "x1") == 0


async def test_no_token_an_old_token_and_a_missing_right_look_the_same(shop: ShopClient) -> None:
    await shop.place(("HF-1001", 1))
    good = shop.token
    shop.token = "unknown"
    assert await shop.call("GET", "orders/1") == (401, UNAUTHORIZED)
    shop.token = good
    async with shop.world.unit():
        kept = shop.vendor.shop.get("tokens", good) or {}
        past = (shop.world.now() - timedelta(seconds=1)).isoformat()
        shop.vendor.shop.put("tokens", good, kept | {"expires": past})
    assert await shop.call("GET", "orders/1") == (401, UNAUTHORIZED)
    await shop.sign_in()
    await shop.act("configure", denied_resources=["Magento_Sales::actions_view"])
    assert await shop.call("GET", "orders/1") == (401, UNAUTHORIZED)


async def test_integration_token_as_bearer_needs_the_switch(shop: ShopClient) -> None:
    shop.token = shop.vendor.shop.settings["integration"]["access_token"]
    assert (await shop.call("GET", "store/storeViews"))[0] == 401
    await shop.act("configure", integration_bearer=True)
    assert (await shop.call("GET", "store/storeViews"))[0] == 200


async def test_authorization_is_checked_before_the_body(shop: ShopClient) -> None:
    reply = await shop.http.post(
        "/rest/V1/orders/1/comments", content=b"{broken", headers={"content-type": "application/json"}
    )
    assert reply.status_code == 401


async def test_wrong_passwords_lock_the_account_for_a_while(shop: ShopClient) -> None:
    wrong = {"username": "holdfast", "password": "no"}
    for _ in range(6):
        reply = await shop.http.post("/rest/V1/integration/admin/token", json=wrong)
        assert reply.status_code == 401
    right = {"username": "holdfast", "password": "Sandbox-Pass-1"}
    assert (await shop.http.post("/rest/V1/integration/admin/token", json=right)).status_code == 401


async def test_the_vendors_own_faults_look_like_the_vendors(shop: ShopClient) -> None:
    await shop.place(("HF-1001", 1))
    shop.world.set_faults("magento", [{"kind": "lock", "times": 1}, {"kind": "limit", "times": 1, "retry_after": 7}])
    status, body = await shop.call("GET", "orders/1")
    assert (status, "deadlock" in body["message"]) == (400, True)
    reply = await shop.http.get("/rest/V1/orders/1")
    assert (reply.status_code, reply.headers["retry-after"]) == (429, "7")
    assert reply.json() == {"message": "Too Many Requests", "trace": None}
    shop.world.set_faults("magento", [{"kind": "expire-auth", "times": 1}])
    assert await shop.call("GET", "orders/1") == (401, UNAUTHORIZED)
    assert await shop.call("GET", "orders/1") == (401, UNAUTHORIZED)  # the token itself is gone
    await shop.sign_in()
    assert (await shop.call("GET", "orders/1"))[0] == 200
