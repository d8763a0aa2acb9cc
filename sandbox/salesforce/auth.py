"""Log-in of servers: JWT bearer and client credentials, tokens that expire, and the errors of the token endpoint.

One client is registered. Its keys are made once per store and outlive a reset, its tokens do not.
"""

import base64
import binascii
import hashlib
import hmac
import secrets
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from sandbox.salesforce import values
from sandbox.salesforce.errors import SalesforceError
from sandbox.salesforce.org import ORGANIZATION_ID, USER_ID, VENDOR, Org
from sandbox.salesforce.standard import USERNAME
from sandbox.salesforce.wire import Headers, Reply

JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
AUDIENCES = ("https://login.salesforce.com", "https://test.salesforce.com")
SESSION = timedelta(hours=2)  # the org's default: two hours without use
AHEAD = timedelta(minutes=6)  # an assertion may end about five minutes from now
SCOPE = "api id"


class Auth:
    def __init__(self, org: Org) -> None:
        self._org = org
        self._tokens = org.store.table(f"{VENDOR}.~tokens")
        self._assertions = org.store.table(f"{VENDOR}.~assertions")
        self._client = self._registered()

    def _registered(self) -> dict[str, str]:
        """The client's id, secret and key; kept outside the tables that a reset wipes."""
        kept = self._org.store.table("keys.salesforce")
        known = kept.get("client")
        if known is None:
            key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
            private = key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
            public = key.public_key().public_bytes(
                serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
            )
            known = {
                "client_id": "3MVG9" + secrets.token_urlsafe(48).replace("-", "A"),
                "client_secret": secrets.token_hex(32).upper(),
                "private_key": private.decode(),
                "public_key": public.decode(),
            }
            with self._org.store.transaction():
                kept.put("client", known)
        return known

    def credentials(self, url: str) -> dict[str, Any]:
        return {
            "token_url": f"{url}/services/oauth2/token",
            "client_id": self._client["client_id"],
            "client_secret": self._client["client_secret"],
            "username": USERNAME,
            "audience": AUDIENCES[0],
            "private_key": self._client["private_key"],
        }

    # --- tokens --------------------------------------------------------------------------------------------------

    def check(self, headers: Headers) -> str:
        """The token of a data call; raises INVALID_SESSION_ID. Use keeps a session alive."""
        scheme, _, token = headers.get("authorization", "").partition(" ")
        session = self._tokens.get(token.strip()) if scheme.lower() in ("bearer", "oauth") else None
        now = self._org.now()
        if session is None or values.moment(session["ends"]) <= now:
            raise SalesforceError("INVALID_SESSION_ID", "Session expired or invalid", status=401)
        ends = now + self._session()
        if abs(ends - values.moment(session["ends"])) > timedelta(minutes=1):
            self._tokens.put(token.strip(), session | {"ends": values.stamp(ends)})
        return token.strip()

    def _session(self) -> timedelta:
        seconds = (self._org.store.table(f"{VENDOR}.~settings").get("session_seconds") or {}).get("value")
        return timedelta(seconds=seconds) if seconds is not None else SESSION

    def expire(self) -> int:
        """End every session; returns how many there were."""
        ended = list(self._tokens)
        for token in ended:
            self._tokens.delete(token)
        return len(ended)

    def _issue(self, host: str) -> dict[str, Any]:
        token = f"{ORGANIZATION_ID[:15]}!AQ0AQ{secrets.token_urlsafe(60)}"
        now = self._org.now()
        self._tokens.put(
            token, {"issued": values.stamp(now), "ends": values.stamp(now + self._session()), "user": USER_ID}
        )
        issued = str(int(now.timestamp() * 1000))
        identity = f"{AUDIENCES[0]}/id/{ORGANIZATION_ID}/{USER_ID}"
        signed = hmac.new(self._client["client_secret"].encode(), (identity + issued).encode(), hashlib.sha256)
        return {
            "access_token": token,
            "signature": base64.b64encode(signed.digest()).decode(),
            "scope": SCOPE,
            "instance_url": f"http://{host}",
            "id": identity,
            "token_type": "Bearer",
            "issued_at": issued,
        }

    # --- endpoints -----------------------------------------------------------------------------------------------

    def endpoint(self, method: str, name: str, headers: Headers, content: bytes) -> Reply:
        """`/services/oauth2/{name}`."""
        try:
            if name == "userinfo" and method in ("GET", "POST"):
                return self._userinfo(headers)
            if name not in ("token", "introspect", "revoke"):
                return Reply(404, {"error": "not_found", "error_description": "no such endpoint"})
            if method != "POST":
                raise _Refused("invalid_request", "must use HTTP POST")
            media = headers.get("content-type", "").split(";")[0].strip().lower()
            if media != "application/x-www-form-urlencoded":
                raise _Refused("invalid_request", f"content type {media or 'none'} is not supported")
            form = dict(parse_qsl(content.decode("utf-8", "replace"), keep_blank_values=True))
            if name == "token":
                return Reply(200, self._token(headers, form), {"cache-control": "no-cache, no-store"})
            if name == "introspect":
                return Reply(200, self._introspect(headers, form))
            token = form.get("token", "")
            if token not in self._tokens:
                raise _Refused("unsupported_token_type", "this token is not supported")
            self._tokens.delete(token)
            return Reply(200)
        except _Refused as err:
            return Reply(err.status, {"error": err.code, "error_description": err.text})

    def _token(self, headers: Headers, form: dict[str, str]) -> dict[str, Any]:
        grant = form.get("grant_type")
        host = headers.get("host", "localhost")
        if grant == "client_credentials":
            self._check_client(headers, form)
            return self._issue(host)
        if grant == JWT_BEARER:
            self._check_assertion(form.get("assertion", ""), host)
            issued = self._issue(host)
            return {name: issued[name] for name in issued if name not in ("signature", "issued_at")}
        raise _Refused("unsupported_grant_type", "grant type not supported")

    def _check_client(self, headers: Headers, form: dict[str, str]) -> None:
        client, secret = form.get("client_id", ""), form.get("client_secret", "")
        scheme, _, basic = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "basic":
            try:
                client, _, secret = base64.b64decode(basic, validate=True).decode().partition(":")
            except (binascii.Error, UnicodeDecodeError) as err:
                raise _Refused("invalid_client", "invalid client credentials", 401) from err
        if client != self._client["client_id"]:
            raise _Refused("invalid_client_id", "client identifier invalid")
        if not hmac.compare_digest(secret.encode(), self._client["client_secret"].encode()):
            raise _Refused("invalid_client", "invalid client credentials", 401)

    def _check_assertion(self, assertion: str, host: str) -> None:
        if not assertion:
            raise _Refused("invalid_request", "missing required parameter: assertion")
        try:
            # The claims are judged below one by one, because each has its own answer.
            claims = jwt.decode(
                assertion,
                self._client["public_key"],
                algorithms=["RS256"],
                options={"verify_exp": False, "verify_aud": False, "verify_iat": False, "require": ["exp"]},
            )
        except jwt.PyJWTError as err:
            raise _Refused("invalid_grant", f"invalid assertion: {err}") from err
        if claims.get("iss") != self._client["client_id"]:
            raise _Refused("invalid_client_id", "client identifier invalid")
        audience = claims.get("aud")
        if (audience if isinstance(audience, str) else "").rstrip("/") not in (*AUDIENCES, f"http://{host}"):
            raise _Refused("invalid_grant", "audience is invalid")
        now = self._org.now()
        ends = claims["exp"]
        if not isinstance(ends, int) or ends <= now.timestamp() or ends > (now + AHEAD).timestamp():
            raise _Refused("invalid_grant", "invalid assertion: expired, or it ends too late")
        if claims.get("sub") != USERNAME:
            raise _Refused("invalid_grant", "user hasn't approved this consumer")
        digest = hashlib.sha256(assertion.encode()).hexdigest()
        if digest in self._assertions:
            raise _Refused("invalid_grant", "invalid assertion: used before")
        for old, kept in [(key, self._assertions.get(key) or {}) for key in self._assertions]:
            if kept.get("exp", 0) < now.timestamp():
                self._assertions.delete(old)
        self._assertions.put(digest, {"exp": ends})

    def _introspect(self, headers: Headers, form: dict[str, str]) -> dict[str, Any]:
        self._check_client(headers, form)
        session = self._tokens.get(form.get("token", ""))
        if session is None or values.moment(session["ends"]) <= self._org.now():
            return {"active": False}
        issued = int(values.moment(session["issued"]).timestamp())
        return {
            "active": True,
            "scope": SCOPE,
            "client_id": self._client["client_id"],
            "username": USERNAME,
            "sub": f"{AUDIENCES[0]}/id/{ORGANIZATION_ID}/{USER_ID}",
            "token_type": "access_token",
            "exp": int(values.moment(session["ends"]).timestamp()),
            "iat": issued,
            "nbf": issued,
        }

    def _userinfo(self, headers: Headers) -> Reply:
        try:
            self.check(headers)
        except SalesforceError:
            return Reply(403, b"Bad_OAuth_Token")
        user = self._org.get("User", USER_ID) or {}
        return Reply(
            200,
            {
                "sub": f"{AUDIENCES[0]}/id/{ORGANIZATION_ID}/{USER_ID}",
                "user_id": USER_ID,
                "organization_id": ORGANIZATION_ID,
                "preferred_username": user.get("Username"),
                "name": user.get("Name"),
                "email": user.get("Email"),
                "active": user.get("IsActive"),
            },
        )


class _Refused(Exception):
    """The token endpoint's refusal: an object, unlike the data API's array (contract 2.1)."""

    def __init__(self, code: str, text: str, status: int = 400) -> None:
        super().__init__(code)
        self.code, self.text, self.status = code, text, status
