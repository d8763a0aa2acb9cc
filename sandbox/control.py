"""The control API: what stands where, what exists, what goes wrong next. It is never subject to faults itself."""

import json
import logging
from decimal import Decimal
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from sandbox.kernel.faults import BadRule
from sandbox.kernel.world import DATA_SETS, ActError, Vendor, World

log = logging.getLogger("sandbox")

PAGES = Environment(loader=FileSystemLoader(Path(__file__).parent), autoescape=True)
FASTEST = 1_000_000
DEFAULT_SECRET = "sandbox-notifications"  # of a notification target that was set without one
REQUESTS_SHOWN = 50


class BadInput(Exception):
    """What was asked cannot be done: `field` says where, `allowed` what may stand there."""

    def __init__(self, message: str, field: str | None, allowed: Any = None, status: int = 400) -> None:
        super().__init__(message)
        self.field = field
        self.allowed = allowed
        self.status = status


class Answer(JSONResponse):
    """JSON in which a Decimal is written as text, so that no amount passes through a float."""

    def render(self, content: Any) -> bytes:
        return json.dumps(content, ensure_ascii=False, default=_plain).encode()


def _plain(value: Any) -> str:
    if isinstance(value, Decimal):
        return str(value)
    raise TypeError(f"{type(value).__name__} is not JSON")


class Control:
    """The application on the control port."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.app = Starlette(
            routes=[
                Route("/", self.index),
                Route("/pages/{name}", self.page),
                Route("/systems", self.systems),
                Route("/reset", self.reset, methods=["POST"]),
                Route("/systems/{name}/faults", self.faults, methods=["GET", "PUT", "DELETE"]),
                Route("/systems/{name}/notify", self.notify, methods=["GET", "PUT", "DELETE"]),
                Route("/systems/{name}/requests", self.requests),
                Route("/systems/{name}/books", self.books),
                Route("/systems/{name}/act", self.act, methods=["POST"]),
                Route("/clock", self.clock, methods=["GET", "PUT"]),
            ],
            exception_handlers={BadInput: _refuse, Exception: _fail},
        )

    async def systems(self, request: Request) -> Response:
        """GET /systems: name -> url, state, credentials, notify, failed_jobs."""
        async with self.world.unit():  # a vendor may make its keys when it is asked for them
            return Answer({name: self._system(vendor) for name, vendor in self.world.vendors.items()})

    def _system(self, vendor: Vendor) -> dict[str, Any]:
        return {
            "url": self.world.urls.get(vendor.name),
            "state": "down" if self.world.faults[vendor.name].down else "up",
            "credentials": vendor.credentials(),
            "notify": self.world.notify_target(vendor.name),
            "failed_jobs": self.world.jobs.failed(vendor.name),
        }

    async def reset(self, request: Request) -> Response:
        """POST /reset {"seed"?}: wipe all vendors, load the data set, drop all fault rules."""
        asked = await _object(request, "seed")
        data_set = asked.get("seed", "demo")
        if data_set not in DATA_SETS:
            raise BadInput(f"there is no seed data set {data_set!r}", "seed", DATA_SETS)
        async with self.world.unit():
            self.world.reset(data_set)
        await self.world.settle()
        return Answer({"seed": data_set})

    async def faults(self, request: Request) -> Response:
        """GET, PUT [rule, ...], DELETE /systems/{name}/faults: the rules in force, with what they met and did."""
        vendor = self._vendor(request)
        if request.method != "GET":
            rules = [] if request.method == "DELETE" else await _json(request)
            try:
                self.world.set_faults(vendor.name, rules)
            except BadRule as err:
                raise BadInput(str(err), err.field, err.allowed) from err
            await self.world.settle()
        return Answer([rule.shown() for rule in self.world.faults[vendor.name].rules])

    async def notify(self, request: Request) -> Response:
        """GET, PUT {"url", "secret"?, "topics"?}, DELETE /systems/{name}/notify: where the vendor's notifications go.

        `topics`: addresses of what does not go to `url`, as in {"goods": "http://..."}; signed with the same secret.
        """
        vendor = self._vendor(request)
        table = self.world.store.table("kernel.notify")
        if request.method == "PUT":
            target = await _object(request, "url", "secret", "topics")
            secret, topics = target.get("secret", DEFAULT_SECRET), target.get("topics", {})
            if not isinstance(topics, dict) or not set(topics) <= set(vendor.topics):
                raise BadInput(f"{vendor.name} has no such topics", "topics", vendor.topics)
            for url in (target.get("url"), *topics.values()):
                if not isinstance(url, str) or not url.startswith(("http://", "https://")):
                    raise BadInput(f"{url!r} is not an address", "url", "http://... or https://...")
            if not isinstance(secret, str) or not secret:
                raise BadInput("the secret is not a text", "secret", "a text that is not empty")
            async with self.world.unit():
                table.put(vendor.name, {"url": target["url"], "secret": secret, "topics": topics})
        elif request.method == "DELETE":
            async with self.world.unit():
                table.delete(vendor.name)
        return Answer(self.world.notify_target(vendor.name))

    async def requests(self, request: Request) -> Response:
        """GET /systems/{name}/requests?since=ID&bodies=1: what was asked after ID, oldest first."""
        vendor = self._vendor(request)
        since = request.query_params.get("since", "0")
        if not since.isdecimal():
            raise BadInput(f"{since!r} is not a request id", "since", "a whole number")
        hidden = set() if request.query_params.get("bodies") == "1" else {"body"}
        found = (entry for entry in self.world.requests[vendor.name] if entry["id"] > int(since))
        return Answer([{name: value for name, value in entry.items() if name not in hidden} for entry in found])

    async def books(self, request: Request) -> Response:
        """GET /systems/{name}/books: the documents that exist."""
        vendor = self._vendor(request)
        async with self.world.lock:
            return Answer(vendor.books())

    async def act(self, request: Request) -> Response:
        """POST /systems/{name}/act {"do", ...}: the vendor's own people or jobs do something, all of it or nothing."""
        vendor = self._vendor(request)
        arguments = await _object(request)
        do = arguments.pop("do", None)
        if not isinstance(do, str):
            raise BadInput("what is to be done?", "do", "the name of an act")
        try:
            async with self.world.unit():
                return Answer(vendor.act(do, arguments))
        except ActError as err:
            raise BadInput(str(err), err.field, err.allowed) from err

    async def clock(self, request: Request) -> Response:
        """GET, PUT {"auto"?, "speed"?} /clock: whether the vendors' own jobs run by themselves, and how fast."""
        world = self.world
        if request.method == "PUT":
            asked = await _object(request, "auto", "speed")
            auto, speed = asked.get("auto", world.clock_auto), asked.get("speed", world.clock_speed)
            if not isinstance(auto, bool):
                raise BadInput(f"{auto!r} is neither true nor false", "auto", [True, False])
            if isinstance(speed, bool) or not isinstance(speed, (int, float, Decimal)) or not 0 < speed <= FASTEST:
                raise BadInput(f"{speed!r} is not a speed", "speed", f"a number above 0, up to {FASTEST}")
            async with world.unit():
                world.set_clock(auto=auto, speed=float(speed))
        return Answer({"auto": world.clock_auto, "speed": world.clock_speed, "now": world.now().isoformat()})

    async def index(self, request: Request) -> Response:
        """The page that lists the vendors."""
        async with self.world.lock:
            rows = [
                {
                    "name": name,
                    "url": self.world.urls.get(name),
                    "down": self.world.faults[name].down,
                    "faults": len(self.world.faults[name].rules),
                    "requests": len(self.world.requests[name]),
                    "counts": _counts(vendor.books()),
                }
                for name, vendor in self.world.vendors.items()
            ]
        clock = {"auto": self.world.clock_auto, "speed": self.world.clock_speed}
        return HTMLResponse(PAGES.get_template("control_page.html").render(rows=rows, clock=clock, name=None))

    async def page(self, request: Request) -> Response:
        """The page of one vendor: its books, fault rules and latest requests."""
        vendor = self._vendor(request)
        async with self.world.lock:
            books = vendor.books()
        page = PAGES.get_template("control_page.html").render(
            name=vendor.name,
            url=self.world.urls.get(vendor.name),
            down=self.world.faults[vendor.name].down,
            counts=_counts(books),
            lists={name: rows for name, rows in books.items() if isinstance(rows, list)},
            rules=[rule.shown() for rule in self.world.faults[vendor.name].rules],
            requests=list(reversed(self.world.requests[vendor.name]))[:REQUESTS_SHOWN],
        )
        return HTMLResponse(page)

    def _vendor(self, request: Request) -> Vendor:
        name = request.path_params["name"]
        if name not in self.world.vendors:
            raise BadInput(f"there is no system {name!r}", "name", list(self.world.vendors), status=404)
        return self.world.vendors[name]


def _counts(books: dict[str, Any]) -> dict[str, int]:
    return {name: len(value) if isinstance(value, list) else value for name, value in books.items()}


async def _json(request: Request) -> Any:
    body = await request.body()
    try:
        return json.loads(body)
    except ValueError as err:
        raise BadInput(f"the body is not JSON: {err}", None, "JSON") from err


async def _object(request: Request, *names: str) -> dict[str, Any]:
    """The body as an object (an empty body is an empty one), its fractions as Decimal. `names` limits its fields."""
    body = await request.body()
    try:
        asked = json.loads(body or b"{}", parse_float=Decimal)
    except ValueError as err:
        raise BadInput(f"the body is not JSON: {err}", None, "a JSON object") from err
    if not isinstance(asked, dict):
        raise BadInput("the body is not an object", None, "a JSON object")
    for name in asked:
        if names and name not in names:
            raise BadInput(f"there is no field {name!r} here", name, names)
    return asked


async def _refuse(request: Request, err: Exception) -> Response:
    assert isinstance(err, BadInput)
    return Answer({"error": str(err), "field": err.field, "allowed": err.allowed}, err.status)


async def _fail(request: Request, err: Exception) -> Response:
    """The sandbox itself failed; nothing of the call was kept. The server logs the trace."""
    return Answer({"error": f"the sandbox failed: {err!r}", "field": None, "allowed": None}, 500)
