"""A vendor that is not built yet: its port is there and says so."""

from typing import Any

from starlette.responses import JSONResponse

from sandbox.kernel.world import Vendor, World


class PendingVendor(Vendor):
    """Answers 501 to everything."""

    def __init__(self, world: World, name: str) -> None:
        super().__init__(world)
        self.name = name

    async def asgi(self, scope: Any, receive: Any, send: Any) -> None:
        message = (
            f"The sandbox has no stand-in for {self.name} yet. GET /systems of the control port lists what there is."
        )
        await JSONResponse({"error": "not implemented", "message": message}, 501)(scope, receive, send)
