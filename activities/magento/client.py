"""Speaks the shop's REST web API: addresses, signing, searching, and answers by the table in `responses.py`.

Edition: PaaS and on-premises (`/rest/{scope}/V1/...`). A document-creating call is never repeated here; the caller
looks first.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx2

from activities.http import USER_AGENT, send
from activities.magento.auth import encode, make_auth
from activities.magento.fields import whole
from activities.magento.responses import BY_ITSELF, LOOK_FIRST, Reply, clean, failure, read
from activities.magento.settings import MagentoSettings
from activities.wire import dumps
from commerce.failures import Family, SystemFailure

# Wrong credentials lock an admin user for a while: a refused sign-in is not tried again before this.
LOGIN_PAUSE_SECONDS = 300.0
SCOPE = "all"  # sales documents belong to no store view; master data is written under `all` too
VIEWS_KEPT_SECONDS = 900.0


@dataclass(frozen=True)
class Filter:
    """One condition of a search. `op` is the shop's word: eq, gt, gteq, in (comma list), ..."""

    field: str
    value: str
    op: str = "eq"


@dataclass(frozen=True)
class Found:
    """One page of a search. `total` counts all rows that fit, where the shop said so."""

    items: list[dict[str, Any]]
    total: int | None
    size: int

    @property
    def more(self) -> bool:
        """Whether rows follow on the next page."""
        return bool(self.items) and (self.total > len(self.items) if self.total is not None else self._full)

    @property
    def _full(self) -> bool:
        return len(self.items) >= self.size


class MagentoClient:
    """One shop. `transport` replaces the network in tests."""

    def __init__(
        self, settings: MagentoSettings, *, system: str, transport: httpx2.AsyncBaseTransport | None = None
    ) -> None:
        self.settings = settings
        self.system = system
        self._http = httpx2.AsyncClient(
            transport=transport,
            timeout=httpx2.Timeout(settings.timeout_seconds, connect=10.0),
            limits=httpx2.Limits(max_connections=8),
            headers={"User-Agent": USER_AGENT, "Accept": "application/json"},
        )
        self._auth = make_auth(settings, self._sign_in)
        self._login_refused: tuple[float, SystemFailure] | None = None
        self._page_size = settings.page_size
        self._views: tuple[float, dict[int, StoreView]] | None = None
        self._views_lock = asyncio.Lock()

    async def close(self) -> None:
        await self._http.aclose()

    async def probe(self) -> None:
        """The cheapest call that needs our sign-in and the right to read orders. Raises SystemFailure."""
        await self.search(
            "orders", [], tried="reach the shop", sort=(("entity_id", "ASC"),), fields="total_count", page_size=1
        )

    # ---- calls -------------------------------------------------------------------------------------------------------

    async def get(
        self, template: str, *, tried: str, fields: str = "", scope: str = SCOPE, order_key: str = "", **ids: str
    ) -> dict[str, Any]:
        """One entity. `template` is the path below V1, such as `orders/{id}`, with its variables in `ids`."""
        query = (("fields", fields),) if fields else ()
        data = await self._call(
            "GET", template, ids, query, tried=tried, writes=False, scope=scope, order_key=order_key
        )
        return self._an_object(data, tried, writes=False)

    async def find(
        self, template: str, *, tried: str, fields: str = "", scope: str = SCOPE, order_key: str = "", **ids: str
    ) -> dict[str, Any] | None:
        """Like `get`; None when the shop itself says that it does not have it."""
        try:
            return await self.get(template, tried=tried, fields=fields, scope=scope, order_key=order_key, **ids)
        except SystemFailure as err:
            if err.code == "404":
                return None
            raise

    async def post(
        self, template: str, body: Mapping[str, Any], *, tried: str, scope: str = SCOPE, order_key: str = "", **ids: str
    ) -> Any:
        """A write that could make a second document: OUTCOME_UNKNOWN whenever the answer is lost or unreadable."""
        return await self._call(
            "POST", template, ids, (), tried=tried, writes=True, scope=scope, order_key=order_key, body=body
        )

    async def search(
        self,
        template: str,
        groups: Sequence[Sequence[Filter]],
        *,
        tried: str,
        sort: Sequence[tuple[str, str]],
        fields: str = "",
        page_size: int | None = None,
        scope: str = SCOPE,
        order_key: str = "",
    ) -> Found:
        """The first page. Filters inside a group are OR-ed, groups AND-ed. Sort by a unique column at last."""
        size = min(page_size or self._page_size, self._page_size)
        try:
            return await self._search(template, groups, sort, fields, size, tried, scope, order_key)
        except _PageTooLarge as err:
            self._page_size = size = err.largest
            return await self._search(template, groups, sort, fields, size, tried, scope, order_key)

    async def keyset(
        self,
        template: str,
        groups: Sequence[Sequence[Filter]],
        *,
        tried: str,
        fields: str = "",
        key: str = "entity_id",
        scope: str = SCOPE,
        order_key: str = "",
    ) -> AsyncIterator[dict[str, Any]]:
        """All rows by ascending `key`, each page starting after the last row: inserts meanwhile move nothing."""
        last: int | None = None
        while True:
            after = [[Filter(key, str(last), "gt")]] if last is not None else []
            page = await self.search(
                template,
                [*groups, *after],
                tried=tried,
                sort=((key, "ASC"),),
                fields=fields,
                scope=scope,
                order_key=order_key,
            )
            for row in page.items:
                at = self._row_key(row, key, tried)
                if last is not None and at <= last:
                    raise self._odd(tried, f"rows after {key} {last} begin with {at}: the search does not filter")
                last = at
                yield row
            if not page.more:
                return

    async def store_views(self, *, tried: str = "read the shop's store views") -> "dict[int, StoreView]":
        """Store views by id, with the language of each; kept for a while."""
        async with self._views_lock:
            if self._views is not None and time.monotonic() - self._views[0] < VIEWS_KEPT_SECONDS:
                return self._views[1]
            views = await self._rows("store/storeViews", tried)
            configs = {str(row.get("code", "")): row for row in await self._rows("store/storeConfigs", tried)}
            found: dict[int, StoreView] = {}
            for row in views:
                view_id, code = self._row_key(row, "id", tried), str(row.get("code", ""))
                found[view_id] = StoreView(view_id, code, str(configs.get(code, {}).get("locale", "")))
            self._views = (time.monotonic(), found)
            return found

    # ---- one exchange ------------------------------------------------------------------------------------------------

    async def _search(
        self,
        template: str,
        groups: Sequence[Sequence[Filter]],
        sort: Sequence[tuple[str, str]],
        fields: str,
        size: int,
        tried: str,
        scope: str,
        order_key: str,
    ) -> Found:
        query = search_query(groups, sort, size, fields)
        data = await self._call("GET", template, {}, query, tried=tried, writes=False, scope=scope, order_key=order_key)
        answer = self._an_object(data, tried, writes=False)
        rows = answer.get("items") or []
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise self._odd(tried, "items is not a list of objects")
        total = whole(answer.get("total_count"))
        return Found(rows, total, size)

    async def _rows(self, template: str, tried: str) -> list[dict[str, Any]]:
        data = await self._call("GET", template, {}, (), tried=tried, writes=False, scope=SCOPE, order_key="")
        if not isinstance(data, list) or not all(isinstance(row, dict) for row in data):
            raise self._odd(tried, "the answer is not a list of objects")
        return data

    async def _call(
        self,
        method: str,
        template: str,
        ids: Mapping[str, str],
        query: Sequence[tuple[str, str]],
        *,
        tried: str,
        writes: bool,
        scope: str,
        order_key: str,
        body: Mapping[str, Any] | None = None,
    ) -> Any:
        """The body of a good answer; every other answer raises SystemFailure by the table."""
        url = address(self.settings.url, scope, template, ids, query)
        content = None if body is None else dumps(body).encode()
        reply: Reply | None = None
        for attempt in (1, 2):
            request = self._http.build_request(method, url, content=content)
            if content is not None:
                request.headers["Content-Type"] = "application/json"
            header = await self._auth.header(request)
            request.headers["Authorization"] = header
            response = await send(
                self._http,
                request,
                span_name=f"{method} /V1/{template}",
                system=self.system,
                writes=writes,
                tried=tried,
                order_key=order_key,
            )
            reply = read(response)
            if reply.status != 401 or attempt == 2:
                break
            await self._auth.renew(header)
        assert reply is not None
        if 200 <= reply.status < 300 and reply.data is not None:
            return reply.data
        if 200 <= reply.status < 300 and response.content.strip() == b"null":
            return None
        largest = whole(reply.parameters.get("max")) if isinstance(reply.parameters, dict) else None
        if reply.status == 400 and not writes and largest and largest < _size_in(query):
            raise _PageTooLarge(largest)
        raise failure(reply, writes=writes, system=self.system, tried=tried)

    async def _sign_in(self) -> str:
        """A token for the admin user. Raises SystemFailure; a refusal is remembered, because trying locks the user."""
        tried = f"sign in to {self.system}"
        if self._login_refused is not None and time.monotonic() - self._login_refused[0] < LOGIN_PAUSE_SECONDS:
            raise self._login_refused[1]
        password = self.settings.password.get_secret_value() if self.settings.password else ""
        request = self._http.build_request(
            "POST",
            address(self.settings.url, SCOPE, "integration/admin/token", {}, ()),
            content=json.dumps({"username": self.settings.username, "password": password}).encode(),
            headers={"Content-Type": "application/json"},
        )
        # A lost token is no document: a new one is asked for.
        response = await send(
            self._http,
            request,
            span_name="POST /V1/integration/admin/token",
            system=self.system,
            writes=False,
            tried=tried,
        )
        reply = read(response)
        if reply.status == 200 and isinstance(reply.data, str) and reply.data:
            self._login_refused = None
            return reply.data
        refused = failure(reply, writes=False, system=self.system, tried=tried)
        if reply.status in (400, 401):
            refused = SystemFailure(
                Family.NEEDS_PERSON,
                tried,
                f"HTTP {reply.status}: {clean(reply.message)}",
                system=self.system,
                code=str(reply.status),
                request_id=reply.request_id,
                do_next="check user, password and lock of the shop's admin user (a second factor shuts out machines: "
                "use an integration instead), then decide 'retry'",
            )
            self._login_refused = (time.monotonic(), refused)
        raise refused

    # ---- reading answers ---------------------------------------------------------------------------------------------

    def _an_object(self, data: Any, tried: str, *, writes: bool) -> dict[str, Any]:
        if isinstance(data, dict):
            return data
        raise self._odd(tried, "the answer is not an object", writes=writes)

    def _row_key(self, row: Mapping[str, Any], key: str, tried: str) -> int:
        found = whole(row.get(key))
        if found is None:
            raise self._odd(tried, f"a row has no {key}")
        return found

    def _odd(self, tried: str, what: str, *, writes: bool = False) -> SystemFailure:
        return SystemFailure(
            Family.OUTCOME_UNKNOWN if writes else Family.TRANSIENT,
            tried,
            f"an answer that the shop does not give: {what}",
            system=self.system,
            code="odd",
            do_next=LOOK_FIRST if writes else BY_ITSELF,
        )


@dataclass(frozen=True)
class StoreView:
    """One store view; `locale` is such as de_DE."""

    id: int
    code: str
    locale: str


class _PageTooLarge(Exception):
    def __init__(self, largest: int) -> None:
        super().__init__(f"at most {largest} rows a page")
        self.largest = largest


def address(
    base: str, scope: str, template: str, ids: Mapping[str, str], query: Sequence[tuple[str, str]]
) -> httpx2.URL:
    """The finished address: nothing in it is encoded again later, so that what is signed is what is sent."""
    path = template.format(**{name: encode(value) for name, value in ids.items()})
    asked = "&".join(f"{encode(name)}={encode(value)}" for name, value in query)
    return httpx2.URL(f"{base}/rest/{encode(scope)}/V1/{path}" + (f"?{asked}" if asked else ""))


def search_query(
    groups: Sequence[Sequence[Filter]], sort: Sequence[tuple[str, str]], size: int, fields: str
) -> list[tuple[str, str]]:
    """The query of a search in the shop's words; `fields` are those of one row."""
    query: list[tuple[str, str]] = []
    for i, group in enumerate(groups):
        for j, one in enumerate(group):
            at = f"searchCriteria[filterGroups][{i}][filters][{j}]"
            query += [(f"{at}[field]", one.field), (f"{at}[value]", one.value), (f"{at}[conditionType]", one.op)]
    for k, (name, direction) in enumerate(sort):
        at = f"searchCriteria[sortOrders][{k}]"
        query += [(f"{at}[field]", name), (f"{at}[direction]", direction)]
    query += [("searchCriteria[pageSize]", str(size)), ("searchCriteria[currentPage]", "1")]
    if fields:
        query.append(("fields", fields if fields == "total_count" else f"items[{fields}],total_count"))
    return query


def _size_in(query: Sequence[tuple[str, str]]) -> int:
    return next((int(value) for name, value in query if name == "searchCriteria[pageSize]"), 0)
