"""The script that `PlayedCheckout` plays in this process."""

from temporalio import activity

from bench.script import Script

_script: Script | None = None


@activity.defn(name="bench.rehearse")
async def rehearse(script: Script) -> None:
    global _script
    _script = script


def script() -> Script:
    if _script is None:
        raise RuntimeError("no script was rehearsed yet")
    return _script
