"""Signing in: the shop's own sort order, signatures over the sent bytes, one sign-in for many callers."""

import asyncio
import base64
import hashlib
import hmac
from functools import cmp_to_key

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from activities.magento.auth import AdminToken, OAuth1, base_string, natural_order

REQUEST = httpx2.Request("GET", "https://shop.example/rest/all/V1/orders")


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("f%5B2%5D", "f%5B10%5D"),
        ("f%5B0%5D", "f%5B10%5D"),
        ("f%5B9%5D%5Bfield%5D", "f%5B10%5D%5Bfield%5D"),
        ("f%5B1%5D%5Bfield%5D", "f%5B1%5D%5Bvalue%5D"),
        ("fields", "oauth_nonce"),
        ("a", "ab"),
        ("a1b", "a1c"),
        ("a05", "a1"),
    ],
)
def test_numbers_inside_names_sort_as_numbers(first: str, second: str) -> None:
    assert natural_order(first, second) < 0 < natural_order(second, first)


@given(st.lists(st.from_regex(r"[a-z]{1,2}%5B(0|[1-9][0-9]{0,2})%5D", fullmatch=True), unique=True))
def test_indexed_names_sort_by_name_then_index(names: list[str]) -> None:
    ordered = sorted(names, key=cmp_to_key(natural_order))
    assert ordered == sorted(names, key=lambda n: (n.split("%5B")[0], int(n.split("%5B")[1].removesuffix("%5D"))))


def test_the_base_string_holds_what_is_sent_once_and_encoded() -> None:
    url = httpx2.URL("http://shop.example:8080/rest/all/V1/orders?b%5B10%5D=x%20y&b%5B2%5D=%3D&bare")
    base = base_string("get", url, {"oauth_nonce": "n"})
    method, address, parameters = base.split("&")
    assert method == "GET"
    assert address == "http%3A%2F%2Fshop.example%3A8080%2Frest%2Fall%2FV1%2Forders"
    assert parameters == "b%255B2%255D%3D%253D%26b%255B10%255D%3Dx%2520y%26oauth_nonce%3Dn"


async def test_the_signature_is_hmac_sha256_over_the_base_string() -> None:
    auth = OAuth1("key", "se&cret", "tok", "tok secret", clock=lambda: 1700000000.9, nonce=lambda: "abc")
    header = await auth.header(REQUEST)
    parts = dict(part.split("=", 1) for part in header.removeprefix("OAuth ").split(", "))
    own = {name: value.strip('"') for name, value in parts.items() if name != "oauth_signature"}
    base = base_string("GET", REQUEST.url, own).encode()
    signed = hmac.new(b"se%26cret&tok%20secret", base, hashlib.sha256).digest()
    expected = base64.b64encode(signed).decode().replace("+", "%2B").replace("/", "%2F").replace("=", "%3D")
    assert parts["oauth_signature"] == f'"{expected}"'
    assert own["oauth_timestamp"] == "1700000000"


async def test_many_callers_share_one_sign_in_and_one_renewal() -> None:
    made: list[str] = []

    async def fetch() -> str:
        await asyncio.sleep(0)
        made.append(f"token{len(made) + 1}")
        return made[-1]

    auth = AdminToken(fetch, 3600)
    assert set(await asyncio.gather(*(auth.header(REQUEST) for _ in range(5)))) == {"Bearer token1"}
    await asyncio.gather(*(auth.renew("Bearer token1") for _ in range(5)))
    assert await auth.header(REQUEST) == "Bearer token2"
    await auth.renew("Bearer token1")  # a late refusal of the old one leaves the new one alone
    assert await auth.header(REQUEST) == "Bearer token2"


async def test_a_token_is_given_up_before_its_end() -> None:
    now = [0.0]
    made: list[str] = []

    async def fetch() -> str:
        made.append("t")
        return f"t{len(made)}"

    auth = AdminToken(fetch, 3600, clock=lambda: now[0])
    await auth.header(REQUEST)
    now[0] = 3400
    assert await auth.header(REQUEST) == "Bearer t1"
    now[0] = 3500
    assert await auth.header(REQUEST) == "Bearer t2"
