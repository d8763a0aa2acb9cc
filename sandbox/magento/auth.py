"""Who is calling, and what they may do: admin bearer tokens, OAuth 1.0a integrations (HMAC-SHA256), guests."""

import base64
import hashlib
import hmac
import re
import secrets
from datetime import datetime, timedelta
from functools import cmp_to_key
from typing import Any
from urllib.parse import quote, unquote

from sandbox.magento.errors import SIGN_IN_INCORRECT, UNAUTHORIZED, MagentoError, missing
from sandbox.magento.shop import Shop

ADMIN_TOKEN_HOURS = 4
CLOCK_SKEW_SECONDS = 600
SIGN_IN_TRIES = 6  # the request throttler's default
SIGN_IN_LOCK = timedelta(minutes=30)
OAUTH_REQUIRED = (
    "oauth_consumer_key",
    "oauth_nonce",
    "oauth_signature",
    "oauth_signature_method",
    "oauth_timestamp",
    "oauth_token",
)

# First pattern that fits a path decides which access control resource protects it.
RESOURCES = (
    (r"/V1/orders/\{id\}/(cancel|hold|unhold|emails)|/V1/orders/create", "Magento_Sales::actions"),
    (r"/V1/orders/\{id\}/comments", "Magento_Sales::comment"),
    (r"/V1/order/.*/invoice|/V1/invoices?\b", "Magento_Sales::sales_invoice"),
    (r"/V1/order/.*/ship|/V1/shipments?\b", "Magento_Sales::ship"),
    (r"/V1/order/.*/refund|/V1/creditmemos?\b", "Magento_Sales::creditmemo"),
    (r"/V1/transactions", "Magento_Sales::transactions_fetch"),
    (r"/V1/orders", "Magento_Sales::actions_view"),
    (r"/V1/carts|/V1/customers/\{customerId\}/carts", "Magento_Cart::manage"),
    (r"/V1/customers|/V1/addresses", "Magento_Customer::manage"),
    (r"/V1/customerGroups", "Magento_Customer::group"),
    (r"/V1/categories", "Magento_Catalog::categories"),
    (r"/V1/products|/V1/stockItems", "Magento_Catalog::products"),
    (r"/V1/inventory/sources?\b", "Magento_InventoryApi::source"),
    (r"/V1/inventory", "Magento_InventoryApi::stock"),
    (r"/V1/company", "Magento_Company::index"),
    (r"/V1/bulk", "Magento_Logging::system_magento_logging_bulk_operations"),
    (r"/V1/eventing", "Magento_AdobeCommerceEventsClient::event_subscribe"),
    (r"/V1/store", "Magento_Backend::store"),
)


def resource_of(path: str) -> str:
    return next((name for pattern, name in RESOURCES if re.match(pattern, path)), "Magento_Backend::all")


def sign_in(shop: Shop, username: str, password: str) -> str:
    """A fresh admin token. Raises 401 on a wrong password or while the account is locked."""
    user = shop.settings["admin"]
    throttle = shop.table("throttle").get(username) or {"failures": 0, "until": ""}
    now = shop.now()
    locked = throttle["until"] > now.isoformat()
    if locked or username != user["username"] or not hmac.compare_digest(password.encode(), user["password"].encode()):
        failures = throttle["failures"] + 1
        until = (now + SIGN_IN_LOCK).isoformat() if failures >= SIGN_IN_TRIES and not locked else throttle["until"]
        shop.put("throttle", username, {"failures": failures, "until": until})
        raise MagentoError(401, SIGN_IN_INCORRECT)
    if username in shop.table("throttle"):
        shop.table("throttle").delete(username)
    token = secrets.token_hex(16)
    expires = now + timedelta(hours=ADMIN_TOKEN_HOURS)
    shop.put("tokens", token, {"username": username, "expires": expires.isoformat()})
    return token


def authorize(shop: Shop, nonces: "Nonces", request: Any, path: str) -> None:
    """Let an administrator or an integration with the right pass; anybody else is a guest and gets the vendor's 401."""
    resource = resource_of(path)
    header = request.headers.get("authorization", "")
    scheme, _, value = header.partition(" ")
    known = False
    if scheme.lower() == "bearer":
        known = _bearer_known(shop, value.strip())
    elif scheme.lower() == "oauth":
        _check_oauth(shop, nonces, request, value)
        known = True
    if not known or resource in shop.settings["denied_resources"]:
        raise MagentoError(401, UNAUTHORIZED, {"resources": resource})


def _bearer_known(shop: Shop, token: str) -> bool:
    issued = shop.table("tokens").get(token)
    if issued is not None:
        return datetime.fromisoformat(issued["expires"]) > shop.now()
    integration = shop.settings["integration"]
    return bool(shop.settings["integration_bearer"]) and token == integration["access_token"]


class Nonces:
    """Nonces that were used, per consumer; forgotten when their timestamp is too old to be of use."""

    def __init__(self) -> None:
        self._used: dict[tuple[str, str], int] = {}

    def use(self, consumer: str, nonce: str, timestamp: int) -> bool:
        """False when the consumer has used this nonce before."""
        if (consumer, nonce) in self._used:
            return False
        if len(self._used) > 50_000:
            self._used = dict(list(self._used.items())[25_000:])
        self._used[consumer, nonce] = timestamp
        return True


def _check_oauth(shop: Shop, nonces: Nonces, request: Any, header: str) -> None:
    given = {
        unquote(name.strip()): unquote(value.strip().strip('"'))
        for name, _, value in (part.partition("=") for part in header.split(","))
        if name.strip() != "realm"
    }
    absent = [name for name in OAUTH_REQUIRED if not given.get(name)]
    if absent:
        raise missing(absent)
    if given.get("oauth_version", "1.0") != "1.0":
        raise MagentoError(400, "The OAuth version %1 isn't supported.", [given["oauth_version"]])
    if given["oauth_signature_method"] != "HMAC-SHA256":
        raise MagentoError(400, "Signature method %1 is not supported", [given["oauth_signature_method"]])
    integration = shop.settings["integration"]
    if given["oauth_consumer_key"] != integration["consumer_key"]:
        raise MagentoError(401, "A consumer with the specified credentials doesn't exist.")
    timestamp = int(given["oauth_timestamp"]) if given["oauth_timestamp"].isdigit() else 0
    if timestamp <= 0 or timestamp > shop.now().timestamp() + CLOCK_SKEW_SECONDS:
        raise MagentoError(401, "The timestamp value in the oauth_timestamp parameter is incorrect.")
    if not nonces.use(given["oauth_consumer_key"], given["oauth_nonce"], timestamp):
        raise MagentoError(401, "The nonce is already being used by the consumer with the specified ID.")
    if given["oauth_token"] != integration["access_token"]:
        raise MagentoError(401, "The token is invalid or was revoked.")
    signed = {name: value for name, value in given.items() if name != "oauth_signature"}
    signed |= signed_query(request.scope["query_string"].decode("latin-1"))
    url = f"{request.url.scheme}://{request.headers.get('host', '')}{raw_path(request.scope)}"
    expected = signature(
        request.method, url, signed, integration["consumer_secret"], integration["access_token_secret"]
    )
    if not hmac.compare_digest(expected.encode(), given["oauth_signature"].encode()):
        raise MagentoError(401, "The signature is invalid. Verify and try again.")


def raw_path(scope: Any) -> str:
    path: bytes = scope.get("raw_path") or scope["path"].encode()
    return path.decode("latin-1").split("?")[0]


def signed_query(query: str) -> dict[str, str]:
    """The query pairs that are signed: only those with exactly one raw `=`; repeated names collapse to the last."""
    pairs = [pair.split("=") for pair in query.split("&") if pair.count("=") == 1]
    return {unquote(name.replace("+", " ")): unquote(value.replace("+", " ")) for name, value in pairs}


def signature(method: str, url: str, parameters: dict[str, str], consumer_secret: str, token_secret: str) -> str:
    """HMAC-SHA256 over the base string; parameters sorted by encoded name in natural order, as the server does."""
    encoded = {_encode(name): _encode(value) for name, value in parameters.items()}
    ordered = sorted(encoded, key=cmp_to_key(natural_compare))
    query = "&".join(f"{name}={encoded[name]}" for name in ordered)
    base = "&".join((method.upper(), _encode(url), _encode(query)))
    key = f"{_encode(consumer_secret)}&{_encode(token_secret)}"
    return base64.b64encode(hmac.new(key.encode(), base.encode(), hashlib.sha256).digest()).decode()


def _encode(value: str) -> str:
    return quote(value, safe="~")


def natural_compare(left: str, right: str) -> int:
    """PHP's strnatcmp: runs of digits compare as numbers (as fractions when one starts with 0), the rest bytewise."""
    a, b = re.findall(r"\d+|\D", left), re.findall(r"\d+|\D", right)
    for x, y in zip(a, b, strict=False):
        if x.isdigit() and y.isdigit() and "0" not in (x[0], y[0]):
            if int(x) != int(y):
                return -1 if int(x) < int(y) else 1
        elif x != y:
            return -1 if x < y else 1
    return (len(a) > len(b)) - (len(a) < len(b))
