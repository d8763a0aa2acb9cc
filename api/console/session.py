"""Signed-in operators: a signed cookie that names the token, and a form secret against requests from other sites.

The signing key comes from the token itself: a token that is taken out of the configuration ends its sessions, and every
API process understands the same cookies.
"""

import base64
import binascii
import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Iterable
from dataclasses import dataclass

from api.auth import Caller, caller
from settings.model import Token

COOKIE = "holdfast_console"
LASTS = 12 * 3600  # seconds: a working day


@dataclass(frozen=True)
class Session:
    caller: Caller
    form_secret: str


def issue(token: Token, now: float | None = None) -> str:
    """The cookie's value for a new session."""
    claims = {"name": token.name, "until": int(now or time.time()) + LASTS, "id": secrets.token_urlsafe(16)}
    body = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode()
    return f"{body}.{_sign(token, 'session', body)}"


def read(tokens: Iterable[Token], cookie: str, now: float | None = None) -> Session | None:
    """The session of a cookie; None when it is forged, over, or its token is not configured any more."""
    body, _, signature = cookie.partition(".")
    try:
        claims = json.loads(base64.urlsafe_b64decode(body.encode()))
        name, until = str(claims["name"]), int(claims["until"])
    except (ValueError, KeyError, TypeError, binascii.Error):
        return None
    for token in tokens:
        expected = _sign(token, "session", body)
        if token.name == name and same(signature, expected):
            if until <= (now or time.time()):
                return None
            return Session(caller(token), _sign(token, "form", body))
    return None


def same(given: str, expected: str) -> bool:
    """In constant time, whatever characters are given."""
    return hmac.compare_digest(given.encode("utf-8", "replace"), expected.encode())


def _sign(token: Token, purpose: str, body: str) -> str:
    secret = token.token.get_secret_value().encode()
    key = hashlib.sha256(b"holdfast console " + purpose.encode() + b" " + secret).digest()
    return hmac.new(key, body.encode(), hashlib.sha256).hexdigest()
