"""The Salesforce stand-in: one org with its packages, served the way the platform serves it."""

import gzip
import json
import re
from typing import Any
from urllib.parse import unquote

from sandbox.kernel.world import ActError, Vendor, World
from sandbox.salesforce import bulk, rest_actions, standard, wire
from sandbox.salesforce.auth import Auth
from sandbox.salesforce.change_events import Captured
from sandbox.salesforce.composite_collections import locked
from sandbox.salesforce.errors import SalesforceError, not_found
from sandbox.salesforce.limits import Limits, exceeded
from sandbox.salesforce.org import VENDOR, Org, Package
from sandbox.salesforce.packages import accounting, billing, cash, scm, scm_flow, web_order
from sandbox.salesforce.rest import Api
from sandbox.salesforce.wire import Call, Reply

PACKAGES: tuple[Package, ...] = (accounting, scm, cash, billing, web_order)
SETTINGS = ("session_seconds", "daily_calls")
MOST_HEADER_BYTES = 16_384  # address and headers together (contract section 4)
WORTH_ZIPPING = 1_000

KEYED_PATH = re.compile(r"/sobjects/\w+/(?!Id/)(\w+)/([^/?]+)", re.IGNORECASE)
KEY_FIELD = re.compile(r"ExternalId__c$|^Magento_\w+_Id__c$|AssignmentKey|ExternalDocumentNumber__c$|^Line_Key__c$")


class SalesforceVendor(Vendor):
    name = VENDOR
    topics = (scm_flow.TOPIC,)

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.org = Org(world)
        standard.install(self.org)
        bulk.install(self.org)
        for package in PACKAGES:
            package.install(self.org)
        self.captured = Captured(self.org)
        self.auth = Auth(self.org)
        self._limits = Limits(self.org)
        self._api = Api(self.org, self._limits)

    # --- what the kernel asks ------------------------------------------------------------------------------------

    def credentials(self) -> dict[str, Any]:
        return self.auth.credentials(self.world.urls.get(self.name, ""))

    def seed(self, data_set: str) -> None:
        for seed in self.org.seeds:
            seed(self.org, data_set)

    def books(self) -> dict[str, Any]:
        merged: dict[str, Any] = {}
        for read in self.org.books:
            for name, value in read(self.org).items():
                merged[name] = merged[name] + value if name in merged else value
        return merged

    def act(self, do: str, arguments: dict[str, Any]) -> dict[str, Any]:
        if do == "expire-tokens":
            return {"expired": self.auth.expire()}
        if do == "configure" and set(arguments) & set(SETTINGS):
            return self._configure(arguments)
        act = self.org.acts.get(do)
        if act is None:
            allowed = sorted({*self.org.acts, "expire-tokens", "configure"})
            raise ActError(f"do: {self.name} cannot {do!r}", allowed=allowed)
        try:
            return act(self.org, arguments)
        except SalesforceError as err:
            raise ActError(f"{do}: {err}", field=err.fields[0] if err.fields else None) from err

    def _configure(self, arguments: dict[str, Any]) -> dict[str, Any]:
        for name, value in arguments.items():
            if name not in SETTINGS:
                raise ActError(f"{name}: not a setting of the platform", allowed=list(SETTINGS))
            if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < 0):
                raise ActError(f"{name}: {value!r} is not a whole number from 0, or null for the default")
            table = self.store.table(f"{VENDOR}.~settings")
            if value is None:
                table.delete(name)
            else:
                table.put(name, {"value": value})
        return {"configured": arguments}

    def tick(self) -> None:
        for tick in self.org.ticks:
            tick(self.org)

    def run_job(self, name: str, payload: Any) -> None:
        job = self.org.jobs.get(name)
        if job is None:
            raise NotImplementedError(f"no package of the org has a job {name!r}")
        job(self.org, payload)

    def request_key(self, method: str, path: str, body: bytes) -> str | None:
        found = _key_in_path(path)
        if found is None and body[:1] in (b"{", b"["):
            try:
                found = _key_in_body(json.loads(body))
            except (ValueError, RecursionError):
                return None  # the call will be refused for it; the log line needs no key then
        return found

    def fault(self, kind: str, options: dict[str, Any], method: str, path: str) -> tuple[int, dict[str, str], bytes]:
        if kind == "expire-auth":
            self.auth.expire()
            err = SalesforceError("INVALID_SESSION_ID", "Session expired or invalid", status=401)
        elif kind == "limit":
            err = exceeded()
        else:
            err = locked(str(options.get("record", "")))
        content, media = wire.refused(err).content()
        return err.status, {"content-type": media} | self._limits.header(), content

    # --- HTTP ----------------------------------------------------------------------------------------------------

    async def asgi(self, scope: Any, receive: Any, send: Any) -> None:
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        raw = (scope.get("raw_path") or scope["path"].encode()).decode("latin-1").split("?")[0]
        address = f"{raw}?{scope.get('query_string', b'').decode('latin-1')}"
        content = (await receive()).get("body", b"")
        size = len(address) + sum(len(name) + len(value) + 4 for name, value in headers.items())
        if size > MOST_HEADER_BYTES:
            reply = wire.refused(
                SalesforceError("REQUEST_HEADER_TOO_LARGE", "URI and headers are too long", status=431)
            )
        else:
            reply = self._answer(scope, scope["method"], address, headers, content)
        body, media = reply.content()
        out = dict(reply.headers) | ({"content-type": media} if media else {})
        if "gzip" in headers.get("accept-encoding", "").lower() and len(body) >= WORTH_ZIPPING:
            body = gzip.compress(body, compresslevel=1, mtime=0)
            out |= {"content-encoding": "gzip", "vary": "Accept-Encoding"}
        if scope["method"] == "HEAD":
            body = b""
        pairs = [(name.encode(), value.encode("latin-1")) for name, value in out.items()]
        await send({"type": "http.response.start", "status": reply.status, "headers": pairs})
        await send({"type": "http.response.body", "body": body})

    def _answer(self, scope: Any, method: str, address: str, headers: dict[str, str], content: bytes) -> Reply:
        path, query = wire.split(address)
        if path[:2] == ("services", "oauth2") and len(path) == 3:
            return self.auth.endpoint(method, path[2], headers, content)
        if path == ("services", "data") and method in ("GET", "HEAD"):
            return Reply(200, wire.versions())
        try:
            data = path[:2] == ("services", "data")
            if not data and path[:2] != ("services", "apexrest"):
                raise not_found()
            version = wire.version_of(path[2]) if data and len(path) > 2 else 0
            self.auth.check(headers)
            self._limits.count()
            content = wire.unzipped(content, headers.get("content-encoding", ""))
        except SalesforceError as err:
            return wire.refused(err)
        call = Call(
            method,
            path[3:] if data else path[2:],
            query,
            headers,
            content,
            None,
            version,
            scope.get("sandbox.partial", {}),
        )
        reply = self._api.run(call) if data else rest_actions.apexrest(self.org, call)
        return Reply(reply.status, reply.body, dict(reply.headers) | self._limits.header())


def _key_in_path(path: str) -> str | None:
    match = KEYED_PATH.search(path)
    return unquote(match.group(2)) if match and match.group(1).endswith("__c") else None


def _key_in_body(value: Any) -> str | None:
    """The first business key in a body: in a sub-request's address or in a key field."""
    if isinstance(value, list):
        return next((found for inner in value if (found := _key_in_body(inner))), None)
    if not isinstance(value, dict):
        return None
    for name, inner in value.items():
        if isinstance(inner, str):
            found = inner if KEY_FIELD.search(name) else _key_in_path(inner) if name == "url" else None
            if found:
                return found
    return _key_in_body([inner for inner in value.values() if isinstance(inner, dict | list)])
