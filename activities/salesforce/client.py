"""Speaks the Salesforce REST API for one system: records by key, queries, all-or-nothing requests, actions.

Every method raises SystemFailure with the family that `responses.RESPONSES` names. A refused session is renewed and the
call replayed once; nothing else is repeated here, because the engine repeats steps.
"""

import re
from collections.abc import AsyncIterator, Mapping, Sequence
from decimal import Decimal
from typing import Any
from urllib.parse import quote as percent
from urllib.parse import urlencode

import httpx2

from activities.gate import gate
from activities.http import USER_AGENT, send
from activities.salesforce import wire
from activities.salesforce.auth import Login, Token
from activities.salesforce.responses import SECONDARY, failure_of, read_errors
from activities.salesforce.settings import SalesforceSettings
from activities.salesforce.soql import quote
from activities.salesforce.wire import Sub, SubResult, Upserted
from commerce.failures import SystemFailure

__all__ = ["SalesforceClient", "SalesforceSettings", "Sub", "SubResult", "Upserted", "quote"]

_TOO_MANY = "REQUEST_LIMIT_EXCEEDED"  # 403, not 429
_USAGE = re.compile(r"api-usage=(\d+)/(\d+)")
MOST_COMPOSITE_PARTS = 25
MOST_COMPOSITE_QUERIES = 5
MOST_GRAPH_NODES = 500
# Both mean "no such record"; a missing external-id field also answers NOT_FOUND, and is told apart by its words.
_NO_RECORD = frozenset({"NOT_FOUND", "ENTITY_IS_DELETED"})
_NO_FIELD = "external id field does not exist"


class SalesforceClient:
    """`system` is the connected system's name in the configuration; it appears in failures and traces."""

    def __init__(
        self, settings: SalesforceSettings, *, system: str, transport: httpx2.AsyncBaseTransport | None = None
    ) -> None:
        self._settings = settings
        self._system = system
        self._http = httpx2.AsyncClient(
            transport=transport,
            timeout=httpx2.Timeout(settings.timeout_seconds, connect=min(10.0, settings.timeout_seconds)),
            headers={"User-Agent": USER_AGENT},
        )
        self.login = Login(settings, self._http, system=system)
        self.usage: tuple[int, int] | None = None  # calls used and allowed in 24 h, from the last answer

    async def close(self) -> None:
        await self._http.aclose()

    async def probe(self) -> None:
        """The cheapest call that needs a session."""
        await self._call("GET", "", template="", writes=False, tried="ask the org for its resources")

    # ---- reading -----------------------------------------------------------------------------------------------------

    async def query(self, soql: str, *, tried: str, order_key: str = "") -> list[dict[str, Any]]:
        """All rows of all pages. Every number is a Decimal."""
        rows: list[dict[str, Any]] = []
        async for page in self.query_pages(soql, tried=tried, order_key=order_key):
            rows += page
        return rows

    async def query_pages(self, soql: str, *, tried: str, order_key: str = "") -> AsyncIterator[list[dict[str, Any]]]:
        """Rows page by page. A locator that ran out is TRANSIENT: start the query again."""
        path: str | None = "/query?" + urlencode({"q": soql})
        template = "/query"
        while path is not None:
            status, page = await self._call(
                "GET", path, template=template, writes=False, tried=tried, order_key=order_key
            )
            records, path = self._page(status, page, tried)
            template = "/query/{locator}"
            yield records

    async def query_many(
        self, queries: Mapping[str, str], *, tried: str, order_key: str = "", deleted: bool = False
    ) -> dict[str, list[dict[str, Any]]]:
        """All rows of up to five queries by name, in one call as long as each fits into one page.

        The queries are carried out one after the other: what changes meanwhile shows in the later ones only. With
        `deleted`, rows of the recycle bin are among them.
        """
        if len(queries) > MOST_COMPOSITE_QUERIES:
            raise ValueError(f"a composite request takes {MOST_COMPOSITE_QUERIES} queries, not {len(queries)}")
        resource = "/queryAll?" if deleted else "/query?"
        parts = [Sub("GET", resource + urlencode({"q": soql}), name) for name, soql in queries.items()]
        results = await self.composite(parts, all_or_none=False, tried=tried, order_key=order_key)
        found: dict[str, list[dict[str, Any]]] = {}
        for name in queries:
            failure = results[name].failure
            if failure is not None:
                raise failure
            found[name], path = self._page(results[name].status, results[name].body, tried)
            while path is not None:
                status, page = await self._call(
                    "GET", path, template="/query/{locator}", writes=False, tried=tried, order_key=order_key
                )
                records, path = self._page(status, page, tried)
                found[name] += records
        return found

    def _page(self, status: int, page: Any, tried: str) -> tuple[list[dict[str, Any]], str | None]:
        """The rows of one page, and where the next one is."""
        records = page.get("records") if isinstance(page, dict) else None
        if not isinstance(records, list) or not isinstance(page.get("done"), bool):
            raise self._foreign(status, writes=False, tried=tried)
        if page["done"]:
            return records, None
        following = page.get("nextRecordsUrl")
        if not isinstance(following, str) or not following.startswith("/services/data/"):
            raise self._foreign(status, writes=False, tried=tried)
        return records, following

    async def get(
        self, sobject: str, id: str, fields: Sequence[str], *, tried: str, order_key: str = ""
    ) -> dict[str, Any] | None:
        """One record by its id; None when it is not there."""
        path = f"/sobjects/{sobject}/{percent(id, safe='')}?{urlencode({'fields': ','.join(fields)}, safe=',')}"
        return await self._one(path, f"/sobjects/{sobject}/{{id}}", tried, order_key)

    async def get_by(
        self, sobject: str, field: str, value: str, *, fields: Sequence[str], tried: str, order_key: str = ""
    ) -> dict[str, Any] | None:
        """One record by an external id; None when it is not there. NEEDS_PERSON when several carry the value."""
        path = f"/sobjects/{sobject}/{field}/{percent(value, safe='')}"
        path += "?" + urlencode({"fields": ",".join(fields)}, safe=",")
        return await self._one(path, f"/sobjects/{sobject}/{field}/{{key}}", tried, order_key)

    async def describe(self, sobject: str) -> dict[str, Any]:
        """Fields, lengths and flags of one object as the org has them."""
        path = f"/sobjects/{sobject}/describe"
        tried = f"read the definition of {sobject}"
        status, body = await self._call("GET", path, template=path, writes=False, tried=tried)
        if not isinstance(body, dict) or not isinstance(body.get("fields"), list):
            raise self._foreign(status, writes=False, tried=tried)
        return body

    # ---- writing -----------------------------------------------------------------------------------------------------

    async def upsert(
        self, sobject: str, field: str, value: str, body: Mapping[str, Any], *, tried: str, order_key: str = ""
    ) -> Upserted:
        """Create the record or update the one that carries the external id. `body` holds neither Id nor that field."""
        status, answer = await self._call(
            "PATCH",
            f"/sobjects/{sobject}/{field}/{percent(value, safe='')}",
            template=f"/sobjects/{sobject}/{field}/{{key}}",
            writes=True,
            tried=tried,
            order_key=order_key,
            body=body,
        )
        if status == 204:
            # Versions before 46 answer an update without a body.
            row = await self.get_by(sobject, field, value, fields=("Id",), tried=tried, order_key=order_key)
            answer = {"id": row["Id"] if row is not None else None}
        if not isinstance(answer, dict) or not isinstance(answer.get("id"), str):
            raise self._foreign(status, writes=True, tried=tried)
        return Upserted(answer["id"], status == 201)

    async def create(self, sobject: str, body: Mapping[str, Any], *, tried: str, order_key: str = "") -> str:
        """The new record's id. Only for records whose loss or repetition is harmless: a lost reply may leave twins."""
        path = f"/sobjects/{sobject}"
        status, answer = await self._call(
            "POST", path, template=path, writes=True, tried=tried, order_key=order_key, body=body
        )
        if not isinstance(answer, dict) or not isinstance(answer.get("id"), str):
            raise self._foreign(status, writes=True, tried=tried)
        return str(answer["id"])

    async def update(self, sobject: str, id: str, body: Mapping[str, Any], *, tried: str, order_key: str = "") -> None:
        await self._call(
            "PATCH",
            f"/sobjects/{sobject}/{percent(id, safe='')}",
            template=f"/sobjects/{sobject}/{{id}}",
            writes=True,
            tried=tried,
            order_key=order_key,
            body=body,
        )

    async def composite(
        self, requests: Sequence[Sub], *, all_or_none: bool, tried: str, order_key: str = ""
    ) -> dict[str, SubResult]:
        """Up to 25 parts in one call, results by reference.

        With `all_or_none` the part that failed is raised; without, each failed part carries its own `failure`.
        """
        if len(requests) > MOST_COMPOSITE_PARTS:
            raise ValueError(f"a composite request takes {MOST_COMPOSITE_PARTS} parts, not {len(requests)}")
        writes = any(part.method != "GET" for part in requests)
        body = {"allOrNone": all_or_none, "compositeRequest": self._parts(requests)}
        status, answer = await self._call(
            "POST",
            "/composite",
            template="/composite",
            writes=writes,
            tried=tried,
            order_key=order_key,
            body=body,
        )
        results = self._results(status, answer, requests, writes=writes, tried=tried)
        if all_or_none:
            self._raise_cause(results)
        return results

    async def graph(
        self, graph_id: str, requests: Sequence[Sub], *, tried: str, order_key: str = ""
    ) -> dict[str, SubResult]:
        """Up to 500 record parts, all or nothing; the part that failed is raised. Results by reference."""
        if len(requests) > MOST_GRAPH_NODES:
            raise ValueError(f"a graph takes {MOST_GRAPH_NODES} nodes, not {len(requests)}")
        body = {"graphs": [{"graphId": graph_id, "compositeRequest": self._parts(requests)}]}
        status, answer = await self._call(
            "POST",
            "/composite/graph",
            template="/composite/graph",
            writes=True,
            tried=tried,
            order_key=order_key,
            body=body,
        )
        graphs = answer.get("graphs") if isinstance(answer, dict) else None
        mine = graphs[0] if isinstance(graphs, list) and len(graphs) == 1 and isinstance(graphs[0], dict) else {}
        results = self._results(status, mine.get("graphResponse"), requests, writes=True, tried=tried)
        self._raise_cause(results)
        if mine.get("isSuccessful") is not True:
            raise self._foreign(status, writes=True, tried=tried)
        return results

    async def action(
        self, name: str, inputs: Sequence[Mapping[str, Any]], *, tried: str, order_key: str = ""
    ) -> list[dict[str, Any]]:
        """Call package or org logic, such as `custom/apex/ns__Class`; the output values, one per input."""
        path = f"/actions/{name}"
        status, answer = await self._call(
            "POST", path, template=path, writes=True, tried=tried, order_key=order_key, body={"inputs": list(inputs)}
        )
        if not isinstance(answer, list) or not all(isinstance(item, dict) for item in answer):
            raise self._foreign(status, writes=True, tried=tried)
        for item in answer:
            if item.get("isSuccess") is not True:
                raise failure_of(400, item, system=self._system, writes=True, tried=tried)
        return [item.get("outputValues") or {} for item in answer]

    # ---- the wire ----------------------------------------------------------------------------------------------------

    async def _one(self, path: str, template: str, tried: str, order_key: str) -> dict[str, Any] | None:
        status, body = await self._call(
            "GET", path, template=template, writes=False, tried=tried, order_key=order_key, misses=True
        )
        if status in (404, 410):
            return None
        if not isinstance(body, dict):
            raise self._foreign(status, writes=False, tried=tried)
        return body

    async def _call(
        self,
        method: str,
        path: str,
        *,
        template: str,
        writes: bool,
        tried: str,
        order_key: str = "",
        body: Mapping[str, Any] | None = None,
        misses: bool = False,
    ) -> tuple[int, Any]:
        """Status and body of a success. `misses`: a record that is not there is an answer, too."""

        async def attempt(token: Token) -> httpx2.Response:
            request = self._http.build_request(
                method,
                token.instance_url + (path if path.startswith("/services/") else self._root + path),
                content=wire.dumps(body).encode() if body is not None else None,
                headers={"Authorization": f"Bearer {token.value}", "Accept": "application/json"},
            )
            if body is not None:
                request.headers["Content-Type"] = "application/json; charset=UTF-8"
            response = await send(
                self._http,
                request,
                span_name=f"{method} {template or '/'}",
                system=self._system,
                writes=writes,
                tried=tried,
                order_key=order_key,
            )
            self._note_usage(response.headers.get("sforce-limit-info", ""))
            return response

        token = await self.login.token()
        response = await attempt(token)
        answer, readable = _body_of(response)
        if _session_refused(response.status_code, answer):
            # The org refused before doing anything, so one replay is safe for a write as well.
            response = await attempt(await self.login.renew(token))
            answer, readable = _body_of(response)
        status = response.status_code
        if 200 <= status < 300 and readable:
            return status, answer
        if misses and status in (404, 410):
            errors = read_errors(answer)
            if errors and errors[0].code in _NO_RECORD and _NO_FIELD not in errors[0].message.lower():
                return status, None
        failure = failure_of(status, answer, system=self._system, writes=writes, tried=tried, response=response)
        if failure.code == _TOO_MANY and failure.retry_after is not None:
            gate.asked_to_rest(self._system, failure.came_back, failure.retry_after)
        raise failure

    @property
    def _root(self) -> str:
        return f"/services/data/v{self._settings.api_version}"

    def _parts(self, requests: Sequence[Sub]) -> list[dict[str, Any]]:
        return [
            {
                "method": part.method,
                "url": self._root + part.path,
                "referenceId": part.reference,
                **({"body": part.body} if part.body is not None else {}),
            }
            for part in requests
        ]

    def _results(
        self, status: int, answer: Any, requests: Sequence[Sub], *, writes: bool, tried: str
    ) -> dict[str, SubResult]:
        rows = answer.get("compositeResponse") if isinstance(answer, dict) else None
        results: dict[str, SubResult] = {}
        for row in rows if isinstance(rows, list) else []:
            if not isinstance(row, dict) or not isinstance(row.get("httpStatusCode"), Decimal):
                raise self._foreign(status, writes=writes, tried=tried)
            part_status, body, failure = int(row["httpStatusCode"]), row.get("body"), None
            if not 200 <= part_status < 300:
                failure = failure_of(part_status, body, system=self._system, writes=writes, tried=tried)
            results[str(row.get("referenceId"))] = SubResult(part_status, body, failure)
        if set(results) != {part.reference for part in requests}:
            raise self._foreign(status, writes=writes, tried=tried)
        return results

    def _raise_cause(self, results: Mapping[str, SubResult]) -> None:
        """Raise the failure that made the others fall, or the first where none names itself."""
        failures = [result.failure for result in results.values() if result.failure is not None]
        for failure in failures:
            if failure.code not in SECONDARY:
                raise failure
        if failures:
            raise failures[0]

    def _foreign(self, status: int, *, writes: bool, tried: str) -> SystemFailure:
        return failure_of(status, None, system=self._system, writes=writes, tried=tried)

    def _note_usage(self, header: str) -> None:
        """`api-usage=25/5000; per-app-api-usage=17/250(appName=sample-app)`: the one that ends first counts."""
        found = [(int(used), int(allowed)) for used, allowed in _USAGE.findall(header)]
        if found:
            self.usage = max(found, key=lambda pair: pair[0] / max(pair[1], 1))
            gate.said(self._system, *self.usage)


def _body_of(response: httpx2.Response) -> tuple[Any, bool]:
    """The body as data, and whether it is what the vendor sends (an empty body only where the status says so)."""
    if response.status_code == 204:
        return None, True
    try:
        return wire.loads(response.content), True
    except ValueError:
        return None, False


def _session_refused(status: int, body: Any) -> bool:
    return status in (401, 403) and any(error.code == "INVALID_SESSION_ID" for error in read_errors(body))
