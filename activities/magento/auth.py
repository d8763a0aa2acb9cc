"""Signing in to the shop: OAuth 1.0a signatures, admin tokens, or an integration's token as bearer.

An `Auth` puts its header on a finished request. `renew` is called once after a 401: the shop answers an expired token
and a missing permission alike, and checks both before it reads the body, so that one replay is safe for writes too.
"""

import asyncio
import base64
import hashlib
import hmac
import secrets
import time
from collections.abc import Awaitable, Callable
from functools import cmp_to_key
from typing import Protocol
from urllib.parse import quote, unquote

import httpx2

from activities.magento.settings import MagentoSettings

# A token is given up this long before its end, so that no call starts with one that ends under way.
SKEW_SECONDS = 120


class Auth(Protocol):
    async def header(self, request: httpx2.Request) -> str:
        """The value of `Authorization` for this request."""
        ...

    async def renew(self, refused: str) -> None:
        """The header `refused` was answered with 401: forget what it was made of."""
        ...


class Bearer:
    """An integration's access token as it is."""

    def __init__(self, token: str) -> None:
        self._header = f"Bearer {token}"

    async def header(self, request: httpx2.Request) -> str:
        return self._header

    async def renew(self, refused: str) -> None:
        """A fixed token cannot be renewed."""


class AdminToken:
    """A token for an admin user, fetched once for all callers and kept until shortly before its end."""

    def __init__(
        self, fetch: Callable[[], Awaitable[str]], lifetime_seconds: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._fetch = fetch
        self._usable = max(lifetime_seconds - SKEW_SECONDS, lifetime_seconds / 2)
        self._clock = clock
        self._lock = asyncio.Lock()
        self._header = ""
        self._until = 0.0

    async def header(self, request: httpx2.Request) -> str:
        async with self._lock:
            if not self._header or self._clock() >= self._until:
                self._header = f"Bearer {await self._fetch()}"
                self._until = self._clock() + self._usable
            return self._header

    async def renew(self, refused: str) -> None:
        async with self._lock:
            # Another caller may have renewed it meanwhile: its new token stays.
            if self._header == refused:
                self._header = ""


class OAuth1:
    """OAuth 1.0a, HMAC-SHA256, one fresh nonce for each request. JSON bodies are not signed."""

    def __init__(
        self,
        consumer_key: str,
        consumer_secret: str,
        token: str,
        token_secret: str,
        *,
        clock: Callable[[], float] = time.time,
        nonce: Callable[[], str] = lambda: secrets.token_hex(16),
    ) -> None:
        self._consumer_key = consumer_key
        self._token = token
        self._key = f"{encode(consumer_secret)}&{encode(token_secret)}".encode()
        self._clock = clock
        self._nonce = nonce

    async def header(self, request: httpx2.Request) -> str:
        own = {
            "oauth_consumer_key": self._consumer_key,
            "oauth_nonce": self._nonce(),
            "oauth_signature_method": "HMAC-SHA256",
            "oauth_timestamp": str(int(self._clock())),
            "oauth_token": self._token,
            "oauth_version": "1.0",
        }
        base = base_string(request.method, request.url, own)
        digest = hmac.new(self._key, base.encode(), hashlib.sha256).digest()
        own["oauth_signature"] = base64.b64encode(digest).decode()
        return "OAuth " + ", ".join(f'{name}="{encode(value)}"' for name, value in own.items())

    async def renew(self, refused: str) -> None:
        """The next header has a new nonce and time anyway, which is all that can be renewed."""


def make_auth(settings: MagentoSettings, fetch_token: Callable[[], Awaitable[str]]) -> Auth:
    """The way of signing in that the settings name; they are checked to be complete."""
    token = settings.access_token.get_secret_value() if settings.access_token else ""
    if settings.auth == "admin":
        return AdminToken(fetch_token, settings.token_lifetime_seconds)
    if settings.auth == "bearer":
        return Bearer(token)
    consumer_secret = settings.consumer_secret.get_secret_value() if settings.consumer_secret else ""
    token_secret = settings.access_token_secret.get_secret_value() if settings.access_token_secret else ""
    return OAuth1(settings.consumer_key, consumer_secret, token, token_secret)


def encode(text: str) -> str:
    """RFC 3986: everything but letters, digits and -._~ as %XX."""
    return quote(text, safe="~")


def base_string(method: str, url: httpx2.URL, oauth: dict[str, str]) -> str:
    """What is signed, made of the very bytes that are sent.

    A query pair counts only when it holds exactly one raw `=`, and a repeated name counts with its last value: so the
    shop reads them.
    """
    path, _, query = url.raw_path.decode("ascii").partition("?")
    pairs = {encode(name): encode(value) for name, value in oauth.items()}
    for part in query.split("&"):
        if part.count("=") == 1:
            name, value = part.split("=")
            pairs[encode(unquote(name))] = encode(unquote(value))
    ordered = sorted(pairs, key=cmp_to_key(natural_order))
    parameters = "&".join(f"{name}={pairs[name]}" for name in ordered)
    address = f"{url.scheme}://{url.netloc.decode('ascii')}{path}"  # netloc leaves out the scheme's own port
    return f"{method.upper()}&{encode(address)}&{encode(parameters)}"


def natural_order(a: str, b: str) -> int:
    """PHP's strnatcmp for the ASCII names above: numbers inside compare as numbers. Negative when `a` comes first.

    The shop sorts this way before it checks a signature, not in byte order as the OAuth standard says.
    """
    i = _past_leading_zeros(a)
    j = _past_leading_zeros(b)
    while i < len(a) and j < len(b):
        if _digit(a, i) and _digit(b, j):
            fraction = a[i] == "0" or b[j] == "0"
            order, i, j = _compare_left(a, i, b, j) if fraction else _compare_right(a, i, b, j)
            if order:
                return order
            continue
        if a[i] != b[j]:
            return -1 if a[i] < b[j] else 1
        i, j = i + 1, j + 1
    return (i < len(a)) - (j < len(b))


def _past_leading_zeros(text: str) -> int:
    at = 0
    while text[at : at + 1] == "0" and _digit(text, at + 1):
        at += 1
    return at


def _compare_right(a: str, i: int, b: str, j: int) -> tuple[int, int, int]:
    """The longer run of digits is the greater number; of equal length, the first difference decides."""
    bias = 0
    while True:
        more_a, more_b = _digit(a, i), _digit(b, j)
        if not more_a and not more_b:
            return bias, i, j
        if more_a != more_b:
            return (1 if more_a else -1), i, j
        if not bias and a[i] != b[j]:
            bias = -1 if a[i] < b[j] else 1
        i, j = i + 1, j + 1


def _compare_left(a: str, i: int, b: str, j: int) -> tuple[int, int, int]:
    """Digits after a zero compare like decimals: the first difference decides."""
    while True:
        more_a, more_b = _digit(a, i), _digit(b, j)
        if not more_a and not more_b:
            return 0, i, j
        if more_a != more_b:
            return (1 if more_a else -1), i, j
        if a[i] != b[j]:
            return (-1 if a[i] < b[j] else 1), i, j
        i, j = i + 1, j + 1


def _digit(text: str, at: int) -> bool:
    return at < len(text) and "0" <= text[at] <= "9"
