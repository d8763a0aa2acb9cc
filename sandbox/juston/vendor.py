"""The hosted part of JustOn Cash Management on its own port: `entry-link`, `refund` and the payment pages."""

import hmac
import json
from decimal import Decimal
from typing import Any, Protocol, cast

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from sandbox.juston import books, buyer, forms, links, page
from sandbox.juston.forms import Refusal
from sandbox.kernel.world import Vendor, World
from sandbox.salesforce import ids
from sandbox.salesforce.org import ORGANIZATION_ID, Org
from sandbox.salesforce.packages import cash_refunds
from sandbox.salesforce.packages.cash_objects import METHODS, REFUND
from sandbox.salesforce.packages.cash_payments import CannotPay
from sandbox.salesforce.packages.cash_settings import current

TENANT = "nordlicht"
TOKENS = {TENANT: "juston-sandbox-token-nordlicht"}
API = "/public/payment-provider/v1/tenant/{tenant}"
PAY = "/pay/{link}/to/{tenant}"
APPROVE_JOB = "approve"


class _HasOrg(Protocol):
    org: Org


class JustOnVendor(Vendor):
    name = "juston"

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._app = Starlette(
            routes=[
                Route(f"{API}/entry-link", self._entry_link, methods=["POST"]),
                Route(f"{API}/refund", self._refund, methods=["POST"]),
                Route(PAY, self._page, methods=["GET"]),
                Route(PAY, self._button, methods=["POST"]),
            ],
            exception_handlers={Refusal: _refused, HTTPException: _http_error},
        )

    @property
    def org(self) -> Org:
        """The Salesforce org that the packages live in."""
        return cast(_HasOrg, self.world.vendor("salesforce")).org

    async def asgi(self, scope: Any, receive: Any, send: Any) -> None:
        await self._app(scope, receive, send)

    def credentials(self) -> dict[str, Any]:
        return {"tenant": TENANT, "token": TOKENS[TENANT]}

    def books(self) -> dict[str, Any]:
        return books.books(self.org)

    def act(self, do: str, arguments: dict[str, Any]) -> dict[str, Any]:
        return buyer.act(self.world, self.org, do, arguments)

    def run_job(self, name: str, payload: dict[str, Any]) -> None:
        if name == links.REVEAL_JOB:
            links.reveal(self.org, payload["entry"])
        elif name == buyer.OUTCOME_JOB:
            buyer.outcome_reported(self.org, payload)
        elif name == APPROVE_JOB:
            refund = self.org.get(REFUND, payload["refund"])
            if refund is not None and refund["JPAY1__Status__c"] == "Prepared":
                cash_refunds.approve(self.org, payload["refund"])
        else:
            super().run_job(name, payload)

    def request_key(self, method: str, path: str, body: bytes) -> str | None:
        """The assignment key in the body, or that of the link in the path or the body."""
        parts = path.split("?")[0].split("/")
        link_id = parts[2] if path.startswith("/pay/") and len(parts) > 2 else None
        if link_id is None:
            try:
                sent = json.loads(body or b"{}")
            except ValueError:
                return None
            if not isinstance(sent, dict):
                return None
            if isinstance(sent.get("assignmentKey"), str):
                return str(sent["assignmentKey"])
            link_id = sent.get("linkId") if isinstance(sent.get("linkId"), str) else None
        link = links.links(self.store).get(link_id) if link_id else None
        return link["key"] if link else None

    def fault(self, kind: str, options: dict[str, Any], method: str, path: str) -> tuple[int, dict[str, str], bytes]:
        headers = {"content-type": "application/json"}
        if kind == "limit":
            retry = str(options.get("retry_after", 1))
            return 429, headers | {"retry-after": retry}, _error("rate_limited", "Too many requests")
        if kind == "expire-auth":
            return 401, headers, _error("unauthorized", "The API token is not valid")
        return 500, headers, _error("org_locked", "The org could not lock the record (UNABLE_TO_LOCK_ROW)")

    def _authorized(self, request: Request) -> str:
        """The tenant's alias. Raises Refusal for an unknown tenant or another token."""
        tenant = request.path_params["tenant"]
        alias = TENANT if ids.normal(tenant) == ORGANIZATION_ID else tenant
        token = TOKENS.get(alias)
        if token is None:
            raise Refusal(404, "unknown_tenant", f"There is no tenant {tenant!r}")
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not hmac.compare_digest(given.strip().encode(), token.encode()):
            raise Refusal(401, "unauthorized", "The API token is missing or not valid")
        return str(alias)

    async def _entry_link(self, request: Request) -> Response:
        tenant = self._authorized(request)
        form = forms.entry_link(forms.parse_json(await request.body()))
        base = self.world.urls.get(self.name) or str(request.base_url)
        link = links.create(self.world, self.org, form, tenant, base)
        return JSONResponse({"entryId": link["entry"], "linkId": link["id"], "paymentLink": link["url"]}, 201)

    async def _refund(self, request: Request) -> Response:
        tenant = self._authorized(request)
        order = forms.refund(forms.parse_json(await request.body()))
        link = self._link(order.link, tenant)
        entry = links.entry_of(self.org, link) if link else None
        if link is None or entry is None:
            raise Refusal(404, "unknown_link", f"There is no payment link {order.link!r}")
        available = cash_refunds.refundable(self.org, entry["Id"])
        if available <= 0:
            raise Refusal(409, "not_refundable", "The link has no collected payment that is left to refund")
        amount = available if order.amount is None else forms.amount(order.amount, entry["CurrencyIsoCode"])
        if amount > available:
            raise Refusal(400, "amount_too_high", f"amount: {amount} is more than the {available} that is left")
        refund_id = cash_refunds.prepare(self.org, entry, amount, order.reason)
        settings = current(self.store)
        if settings.refund_auto:
            self.world.schedule(self.name, APPROVE_JOB, settings.refund_delay_ms / 1000, {"refund": refund_id})
        return JSONResponse({"refundId": refund_id, "status": "Prepared"}, 202)

    async def _page(self, request: Request) -> Response:
        link = self._link(request.path_params["link"], request.path_params["tenant"])
        closed = self._closed(link)
        if link is None or closed is not None:
            return closed or _unknown()
        entry = links.entry_of(self.org, link)
        return HTMLResponse(page.payment(entry, link["language"])) if entry else _unknown()

    async def _button(self, request: Request) -> Response:
        link = self._link(request.path_params["link"], request.path_params["tenant"])
        closed = self._closed(link, clicked=True)
        entry = links.entry_of(self.org, link) if link else None
        if link is None or entry is None or closed is not None:
            return closed or _unknown()
        form = await request.form()
        action, method = str(form.get("action") or ""), str(form.get("method") or METHODS[0])
        if action == "cancel":
            return _back(link, "cancel", "left")
        if action not in ("pay", "fail") or method not in METHODS:
            return HTMLResponse(page.payment(entry, link["language"], page.texts(link["language"])[1]["choose"]), 422)
        try:
            amount: Decimal = buyer.checked_amount(str(form.get("amount") or ""), entry)
        except CannotPay as err:
            return HTMLResponse(page.payment(entry, link["language"], str(err)), 422)
        buyer.from_page(self.world, self.org, link, amount, method, succeeds=action == "pay")
        return _back(link, "success", "success") if action == "pay" else _back(link, "failure", "failure")

    def _link(self, link_id: str, tenant: str) -> dict[str, Any] | None:
        link = links.links(self.store).get(link_id)
        alias = TENANT if ids.normal(tenant) == ORGANIZATION_ID else tenant
        return link if link is not None and link["tenant"] == alias else None

    def _closed(self, link: dict[str, Any] | None, *, clicked: bool = False) -> Response | None:
        """The page that says why nothing can be paid; None while the entry is open."""
        entry = links.entry_of(self.org, link) if link else None
        if link is None or entry is None:
            return _unknown()
        status = entry["JPAY1__Status__c"]
        if status == "Open" and not links.expired(link, self.world.now()):
            return None
        word = "expired" if status == "Open" else status
        code = 409 if clicked else 200 if status == "Balanced" else 410
        return HTMLResponse(page.notice(link["language"], word, entry["JPAY1__Title__c"]), code)


def _back(link: dict[str, Any], redirect: str, word: str) -> Response:
    url = link["redirects"].get(redirect)
    if url:
        return RedirectResponse(url, 303)
    return HTMLResponse(page.notice(link["language"], word, again="" if word == "success" else link["url"]))


def _unknown() -> Response:
    return HTMLResponse(page.notice(None, "unknown"), 404)


def _error(code: str, message: str) -> bytes:
    return json.dumps({"error": code, "message": message}, ensure_ascii=False).encode()


async def _refused(_request: Request, refusal: Exception) -> Response:
    if not isinstance(refusal, Refusal):
        raise refusal
    return Response(_error(refusal.code, str(refusal)), refusal.status, media_type="application/json")


async def _http_error(_request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    code = "method_not_allowed" if error.status_code == 405 else "not_found"
    return Response(_error(code, str(error.detail)), error.status_code, error.headers, media_type="application/json")
