"""Serves the API: `python -m api --config holdfast.toml`.

Exit codes: 0 stopped, 1 cannot listen, 2 wrong configuration.
"""

import argparse
import asyncio
import logging
import os
import signal
import sys
from pathlib import Path

import uvicorn

from activities.ledger.database import engine_for
from activities.ledger.store import Ledger
from api.app import create_app
from api.backing import Backing
from api.engine import Engine
from settings.connect import connect
from settings.load import ConfigError, load
from settings.model import Settings
from settings.systems import connect_systems, listeners
from settings.telemetry import end_telemetry, set_up_telemetry


async def serve(settings: Settings) -> bool:
    """Serve until SIGTERM or SIGINT. False: it could not listen."""
    engine = engine_for(settings.ledger.url.get_secret_value())
    ledger = Ledger(engine)
    connected = connect_systems(settings, ledger)  # for the names of its sources; it opens no connection
    sources = frozenset(source.name for source in connected.sources)
    await connected.close()
    backing = Backing(settings, ledger, Engine(lambda: connect(patience=0)), listeners(settings), sources)
    server = uvicorn.Server(
        uvicorn.Config(
            create_app(backing),
            host=settings.api.host,
            port=settings.api.port,
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=20,
        )
    )
    for number in (signal.SIGINT, signal.SIGTERM):
        # uvicorn raises the signal that stopped it once more at its end; a clean stop must not end in it.
        signal.signal(number, lambda *_: None)
    try:
        await server.serve()
    finally:
        await engine.dispose()
    return server.started


async def main(config: Path) -> int:
    try:
        set_up_telemetry("holdfast-api")
        settings = load(config)
    except ConfigError as err:
        print(err, file=sys.stderr)
        return 2
    return 0 if await serve(settings) else 1


if __name__ == "__main__":
    options = argparse.ArgumentParser(prog="python -m api", description="Serve Holdfast's API and console.")
    options.add_argument("--config", type=Path, default=Path("holdfast.toml"), help="the configuration file")
    code = asyncio.run(main(options.parse_args().config))
    end_telemetry()
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # the engine's SDK may abort in its own clean-up at interpreter exit
