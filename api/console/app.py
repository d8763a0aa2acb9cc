"""The console's addresses. What it changes goes the same way as through the API, with the same refusals."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from functools import wraps
from urllib.parse import quote, urlencode

from fastapi.responses import RedirectResponse, Response
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.routing import Route

from api.auth import caller_of
from api.backing import Backing
from api.console import cases, goods, order
from api.console import session as sessions
from api.console.forms import read_form
from api.console.numbers import count
from api.console.session import COOKIE, Session
from api.errors import FORESEEN, refusal_of
from api.goods import LateLimits, late_orders
from api.orders import search_orders
from api.pages import page
from api.parked import seen_cases
from api.reconciliations import MOST, last_report
from api.stuck import stuck_runs

Page = Callable[[Request, Backing, Session], Awaitable[Response]]


def console(backing: Backing) -> Starlette:
    """To be mounted at /console."""

    def signed_in(make: Page) -> Callable[[Request], Awaitable[Response]]:
        @wraps(make)
        async def run(request: Request) -> Response:
            session = sessions.read(backing.settings.api.tokens, request.cookies.get(COOKIE, ""))
            if session is None or not session.caller.may("operator"):
                target = request.url.path if request.method == "GET" else "/console/"
                return RedirectResponse(f"/console/login?{urlencode({'to': target})}", 303)
            return await make(request, backing, session)

        return run

    async def sign_in_page(request: Request) -> Response:
        return page("login.html", to=_own_page(request.query_params.get("to", "")), problem="")

    async def sign_in(request: Request) -> Response:
        form = await read_form(request)
        to = _own_page(form.get("to", ""))
        presented = form.get("token", "")
        found = caller_of(backing.settings.api.tokens, presented)
        if found is None or not found.may("operator"):
            problem = "This token may not use the console; it needs the role operator." if found else "Unknown token."
            return page("login.html", status=403 if found else 401, to=to, problem=problem)
        token = next(t for t in backing.settings.api.tokens if t.token.get_secret_value() == presented)
        response = RedirectResponse(to, 303)
        secure = backing.public_url.startswith("https:")
        response.set_cookie(
            COOKIE,
            sessions.issue(token),
            max_age=sessions.LASTS,
            path="/console",
            secure=secure,
            httponly=True,
            samesite="strict",
        )
        return response

    async def error(request: Request, err: Exception) -> Response:
        refusal = refusal_of(err)
        session = sessions.read(backing.settings.api.tokens, request.cookies.get(COOKIE, ""))
        answer = page("problem.html", status=refusal.status, session=session, refusal=refusal)
        answer.headers.update(refusal.headers)
        return answer

    return Starlette(
        routes=[
            Route("/login", sign_in_page),
            Route("/login", sign_in, methods=["POST"]),
            Route("/logout", signed_in(_sign_out), methods=["POST"]),
            Route("/", signed_in(_overview)),
            Route("/orders", signed_in(_search)),
            Route("/orders/{store}/{number}", signed_in(order.one)),
            Route("/orders/{store}/{number}/cancel", signed_in(order.cancel), methods=["POST"]),
            Route("/orders/{store}/{number}/transfers", signed_in(order.transfer), methods=["POST"]),
            Route("/orders/{store}/{number}/follow", signed_in(order.follow), methods=["POST"]),
            Route("/orders/{store}/{number}/stuck", signed_in(order.settle), methods=["POST"]),
            Route("/late", signed_in(goods.late)),
            Route("/parked", signed_in(cases.parked)),
            Route("/parked", signed_in(cases.retry), methods=["POST"]),
            Route("/parked/{case_id:path}", signed_in(cases.case)),
            Route("/parked/{case_id:path}", signed_in(cases.decide), methods=["POST"]),
            Route("/quarantine", signed_in(cases.quarantine)),
            Route("/quarantine/{notification_id:int}", signed_in(cases.release), methods=["POST"]),
            Route("/reconciliation", signed_in(_reconciliation)),
        ],
        exception_handlers=dict.fromkeys((*FORESEEN, Exception), error),
    )


# ---- pages -----------------------------------------------------------------------------------------------------------


async def _overview(_: Request, backing: Backing, session: Session) -> Response:
    numbers = await count(backing, session.caller)
    open_cases = await seen_cases(backing, session.caller)
    late = await late_orders(backing, session.caller, LateLimits())
    return page(
        "overview.html",
        session=session,
        now=datetime.now(UTC),
        numbers=numbers,
        cases=open_cases,
        late=len({one.order_key for one in late}),
        stuck=await stuck_runs(backing, session.caller),
        ui=backing.settings.api.temporal_ui.rstrip("/"),
        namespace=backing.engine.namespace,
    )


async def _search(request: Request, backing: Backing, session: Session) -> Response:
    asked = request.query_params.get("q", "").strip()
    orders = await search_orders(backing, session.caller.sees, asked, asked, 100)
    if len(orders) == 1 and asked:
        return RedirectResponse(f"/console/orders/{orders[0].store}/{quote(orders[0].number, safe='')}", 303)
    return page("orders.html", session=session, asked=asked, orders=orders, now=datetime.now(UTC))


async def _reconciliation(_: Request, backing: Backing, session: Session) -> Response:
    rows, latest, found = await last_report(backing, session.caller)
    return page(
        "reconciliation.html", session=session, rows=rows, latest=latest, found=found, most=MOST, now=datetime.now(UTC)
    )


async def _sign_out(request: Request, _: Backing, session: Session) -> Response:
    await read_form(request, session)
    response = RedirectResponse("/console/login", 303)
    response.delete_cookie(COOKIE, path="/console", httponly=True, samesite="strict")
    return response


# ---- helpers ---------------------------------------------------------------------------------------------------------


def _own_page(path: str) -> str:
    """Where to go after signing in: only to our own pages."""
    return path if path.startswith("/console/") and "//" not in path and "\\" not in path else "/console/"
