"""A tiny vendor over the sandbox's kernel, and the receiver of its notifications.

As a program (`python -m tests.sandbox.tiny DIR FILE`) it serves until it is killed and writes its addresses to FILE.
"""

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.control import Control
from sandbox.kernel.serve import Site
from sandbox.kernel.store import Store
from sandbox.kernel.world import ActError, Notification, Vendor, World


class Tiny(Vendor):
    """Keeps notes. `POST /notes` writes one, tells the notification target, and can break on request."""

    name = "tiny"

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.notes = self.store.table("tiny.notes")
        self.app = Starlette(routes=[Route("/notes", self.post, methods=["POST"]), Route("/notes", self.all)])
        self.broken_jobs = 0

    async def asgi(self, scope: Any, receive: Any, send: Any) -> None:
        await self.app(scope, receive, send)

    async def post(self, request: Request) -> Response:
        note = await request.json()
        number = self.write(note)
        if note.get("break"):
            raise RuntimeError("broken on request")
        return JSONResponse({"id": number, "partial": request.scope.get("sandbox.partial")}, 201)

    async def all(self, request: Request) -> Response:
        return JSONResponse(self.notes.values())

    def write(self, note: dict[str, Any]) -> str:
        number = str(self.store.number("tiny.notes"))
        self.notes.put(number, note)
        target = self.world.notify_target("tiny")
        if target is not None:
            body = json.dumps(note).encode()
            self.world.notify(Notification("tiny", target["url"], body, {"x-note": number}))
        if "later" in note:
            self.world.schedule("tiny", "write", note["later"], {"text": f"later: {note['text']}"})
        return number

    def run_job(self, name: str, payload: dict[str, Any]) -> None:
        self.write(payload)
        if self.broken_jobs:
            self.broken_jobs -= 1
            raise RuntimeError("this job is broken")

    def seed(self, data_set: str) -> None:
        if data_set == "demo":
            self.write({"text": "seed"})

    def books(self) -> dict[str, Any]:
        return {"orders": [{"id": key, "number": key, "key": self.notes.get(key)} for key in self.notes]}

    def act(self, do: str, arguments: dict[str, Any]) -> dict[str, Any]:
        if do != "write":
            return super().act(do, arguments)
        self.write({"text": "by hand"})
        if "amount" not in arguments:
            raise ActError("amount: is missing", allowed="a number")
        return {"amount": arguments["amount"]}

    def tick(self) -> None:
        self.write({"text": "tick"})

    def request_key(self, method: str, path: str, body: bytes) -> str | None:
        return json.loads(body).get("text") if body else None

    def fault(self, kind: str, options: dict[str, Any], method: str, path: str) -> tuple[int, dict[str, str], bytes]:
        return 418, {"content-type": "text/plain"}, f"tiny {kind}".encode()

    def texts(self) -> list[str]:
        return [note["text"] for note in self.notes.values()]


class Receiver:
    """Takes notifications; answers with `statuses` one after the other, then 200."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.statuses: list[int] = []
        self._came = asyncio.Event()
        self.app = Starlette(routes=[Route("/hook", self._take, methods=["POST"])])

    async def _take(self, request: Request) -> Response:
        self.bodies.append(await request.body())
        self._came.set()
        return Response(status_code=self.statuses.pop(0) if self.statuses else 200)

    @property
    def texts(self) -> list[str]:
        return [json.loads(body)["text"] for body in self.bodies]

    async def have(self, count: int, seconds: float = 5) -> None:
        """Wait until `count` notifications came. Raises TimeoutError."""
        async with asyncio.timeout(seconds):
            while len(self.bodies) < count:
                self._came.clear()
                await self._came.wait()


async def until(what: Callable[[], bool | Awaitable[bool]], seconds: float = 5) -> None:
    """Wait until `what()` holds. Raises TimeoutError."""
    async with asyncio.timeout(seconds):
        while True:
            holds = what()
            if holds is True or (not isinstance(holds, bool) and await holds):
                return
            await asyncio.sleep(0.01)


async def main(directory: Path, addresses: Path) -> None:
    world = World(Store(directory / "tiny.db", exclusive=True))
    world.add(Tiny(world))
    site = Site(world)
    site.add_app("control", Control(world).app)
    site.add_vendor(world.vendor("tiny"))
    await site.start()
    draft = addresses.with_suffix(".draft")
    draft.write_text(json.dumps(site.addresses))
    draft.replace(addresses)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), Path(sys.argv[2])))
