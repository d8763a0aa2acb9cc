"""The script that `PlayedCheckout` plays in this process."""

from temporalio import activity

from bench.script import Script

_script: Script | None = None


@activity.defn(name="bench.rehearse")
async def rehearse(script: Script) -> None:
    global _script
    _script = script


@activity.defn(name="bench.nothing_locally")
async def nothing_locally() -> None:
    """What the measured process asks beside its workflow task is our own memory, and no vendor."""


def script() -> Script:
    if _script is None:
        raise RuntimeError("no script was rehearsed yet")
    return _script
