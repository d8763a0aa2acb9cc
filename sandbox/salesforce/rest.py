"""The data API's front desk: from a path to the resource that answers. Composite requests come back in through here."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from sandbox.salesforce import bulk, composite, composite_collections, rest_actions, rest_query, rest_records, wire
from sandbox.salesforce.errors import SalesforceError, not_found
from sandbox.salesforce.limits import Limits
from sandbox.salesforce.org import Org
from sandbox.salesforce.rest_records import no_method
from sandbox.salesforce.wire import Call, Reply

RESOURCES = ("sobjects", "query", "queryAll", "composite", "limits", "actions", "jobs")


class Api:
    """One org's data API. `run` never raises SalesforceError: a refusal is a Reply, and its changes are undone."""

    def __init__(self, org: Org, limits: Limits) -> None:
        self.org = org
        self.limits = limits
        self._resources: dict[str, Callable[[Call], Reply]] = {
            "sobjects": lambda call: rest_records.handle(org, call),
            "query": lambda call: rest_query.handle(org, call, deleted=False),
            "queryall": lambda call: rest_query.handle(org, call, deleted=True),
            "composite": self._composite,
            "limits": self._limits,
            "actions": lambda call: rest_actions.handle(org, call),
            "jobs": lambda call: bulk.handle(org, call),
        }

    def run(self, call: Call) -> Reply:
        """Answer a call whose path begins after `/services/data/vNN.0`."""
        try:
            with self.org.savepoint():
                return self._resource(call)
        except SalesforceError as err:
            return wire.refused(err)

    def sub(self, outer: Call, method: str, url: str, body: Any, headers: dict[str, str]) -> Reply:
        """A call inside a composite request; `url` is relative to the host and names the version."""
        path, query = wire.split(url)
        try:
            if path[:2] != ("services", "data") or len(path) < 4:
                raise not_found()
            version = wire.version_of(path[2])
        except SalesforceError as err:
            return wire.refused(err)
        lower = {name.lower(): value for name, value in headers.items()}
        call = Call(method, path[3:], query, lower, None, body, version, outer.partial)
        return self.run(call)

    def _resource(self, call: Call) -> Reply:
        if not call.path:
            if call.method not in ("GET", "HEAD"):
                raise no_method(call, "GET,HEAD")
            return Reply(200, {name: f"{call.root}/{name}" for name in RESOURCES})
        resource = self._resources.get(call.path[0].lower())
        if resource is None:
            raise not_found()
        return resource(replace(call, path=call.path[1:]))

    def _limits(self, call: Call) -> Reply:
        if call.method not in ("GET", "HEAD"):
            raise no_method(call, "GET,HEAD")
        return Reply(200, self.limits.page())

    def _composite(self, call: Call) -> Reply:
        kind = call.path[0] if call.path else ""
        if kind == "sobjects":
            return composite_collections.handle(self.org, replace(call, path=call.path[1:]))
        if kind == "tree" and len(call.path) == 2:
            return composite_collections.tree(self.org, call, call.path[1])
        if call.method != "POST":
            raise no_method(call, "POST")
        if kind == "":
            return composite.composite(self.org, self.sub, call)
        if kind == "graph":
            return composite.graph(self.org, self.sub, call)
        if kind == "batch":
            return composite.batch(self.sub, call)
        raise not_found()
