"""Tokens of one org: asked for once at a time, used until the org refuses them (an answer carries no expiry)."""

import asyncio
import time
import uuid
from dataclasses import dataclass

import httpx2
import jwt

from activities.http import send
from activities.salesforce import wire
from activities.salesforce.responses import TOKEN_RESPONSES, failure_of
from activities.salesforce.settings import SalesforceSettings
from commerce.failures import Family, SystemFailure

TOKEN_PATH = "/services/oauth2/token"
# The org takes assertions that end at most about five minutes ahead; the rest is room for clocks that differ.
ASSERTION_SECONDS = 180


@dataclass(frozen=True)
class Token:
    value: str
    instance_url: str
    org_id: str = ""  # empty where the answer named none


class Login:
    """The one place that knows the credential. Safe to use by many tasks at once: they share one request."""

    def __init__(self, settings: SalesforceSettings, http: httpx2.AsyncClient, *, system: str) -> None:
        self._settings = settings
        self._http = http
        self._system = system
        self._token: Token | None = None
        self._lock = asyncio.Lock()

    async def token(self) -> Token:
        """The present token, asked for when there is none. Raises SystemFailure."""
        if self._token is not None:
            return self._token
        async with self._lock:
            if self._token is None:
                self._token = await self._ask()
            return self._token

    async def renew(self, refused: Token) -> Token:
        """A token other than the one that the org refused. Raises SystemFailure."""
        async with self._lock:
            if self._token is None or self._token.value == refused.value:
                self._token = None
                self._token = await self._ask()
            return self._token

    async def _ask(self) -> Token:
        tried = f"sign in at {self._settings.login_url}"
        request = self._http.build_request(
            "POST",
            self._settings.login_url + TOKEN_PATH,
            data=self._grant(tried),
            headers={"Accept": "application/json"},
        )
        response = await send(
            self._http, request, span_name=f"POST {TOKEN_PATH}", system=self._system, writes=False, tried=tried
        )
        try:
            body = wire.loads(response.content)
        except ValueError:
            body = None
        if response.status_code == 200 and isinstance(body, dict):
            value, instance_url = body.get("access_token"), body.get("instance_url")
            if isinstance(value, str) and isinstance(instance_url, str) and value and instance_url:
                return Token(value, instance_url.rstrip("/"), _org_of(body.get("id")))
        raise failure_of(
            response.status_code,
            body,
            system=self._system,
            writes=False,
            tried=tried,
            response=response,
            table=TOKEN_RESPONSES,
        )

    def _grant(self, tried: str) -> dict[str, str]:
        settings = self._settings
        if settings.auth == "client_credentials":
            secret = settings.client_secret.get_secret_value() if settings.client_secret is not None else ""
            return {"grant_type": "client_credentials", "client_id": settings.client_id, "client_secret": secret}
        claims = {
            "iss": settings.client_id,
            "sub": settings.username,
            "aud": settings.audience,
            "exp": int(time.time()) + ASSERTION_SECONDS,
            # An assertion is taken once; without this, two processes that sign in within one second send the same one.
            "jti": uuid.uuid4().hex,
        }
        try:
            assertion = jwt.encode(claims, self._private_key(), algorithm="RS256")
        except (OSError, ValueError, jwt.PyJWTError) as err:
            raise SystemFailure(
                Family.NEEDS_PERSON,
                tried,
                f"the private key cannot be used: {type(err).__name__}",
                system=self._system,
                do_next="put an RSA private key in PEM text into private_key or private_key_file, then decide 'retry'",
            ) from err
        return {"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion": assertion}

    def _private_key(self) -> str:
        if self._settings.private_key is not None:
            return self._settings.private_key.get_secret_value()
        if self._settings.private_key_file is None:
            raise ValueError("no private key")
        return self._settings.private_key_file.read_text(encoding="utf-8")


def _org_of(identity: object) -> str:
    """The org's id in `https://login.salesforce.com/id/{org}/{user}`."""
    parts = identity.split("/") if isinstance(identity, str) else []
    return parts[-2] if len(parts) > 2 and parts[-3] == "id" else ""
