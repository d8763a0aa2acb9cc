"""`python -m api` as a merchant runs it: it starts while everything is away, says so, and stops in order."""

import asyncio
import os
import sys
from pathlib import Path

import httpx2

from engine.processes import Child, free_port
from tests.api.desk import NOWHERE, ROOT, Served


async def test_the_process_starts_with_everything_away_and_stops_cleanly(tmp_path: Path) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}"

    async def ready() -> bool:
        try:
            async with httpx2.AsyncClient(trust_env=False) as http:
                return (await http.get(f"{url}/healthz")).status_code == 200
        except httpx2.HTTPError:
            return False

    environment = {
        **NOWHERE,
        "HOLDFAST_LEDGER_URL": "postgresql://holdfast:x@127.0.0.1:9/holdfast",
        "HOLDFAST__API__PORT": str(port),
        "TEMPORAL_ADDRESS": "127.0.0.1:9",
    }
    argv = [sys.executable, "-m", "api", "--config", str(ROOT / "holdfast.toml")]
    child = Child("api", argv, tmp_path / "api.log", environment, cwd=ROOT, ready=ready)
    await child.start()
    try:
        async with httpx2.AsyncClient(trust_env=False, base_url=url, timeout=10) as http:
            away = await http.get("/readyz")
    finally:
        await child.stop()
    assert away.status_code == 503
    assert "PostgreSQL does not answer" in away.json()["ledger"]
    assert "Temporal does not answer" in away.json()["engine"]
    assert child.process is not None
    assert child.process.returncode == 0


async def test_a_wrong_configuration_is_told_and_ends_with_2(tmp_path: Path) -> None:
    config = tmp_path / "holdfast.toml"
    config.write_text((ROOT / "holdfast.toml").read_text().replace("port = 8080", "prot = 8080"))
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "api", "--config", str(config)),
        cwd=ROOT,
        env={**os.environ, **NOWHERE, "HOLDFAST_LEDGER_URL": "postgresql://h:x@127.0.0.1:9/h"},
        stderr=asyncio.subprocess.PIPE,
    )
    _, said = await asyncio.wait_for(process.communicate(), 20)
    assert process.returncode == 2
    assert "api.prot" in said.decode()


async def test_ready_means_that_ledger_and_engine_answer(api: Served) -> None:
    reply = await api.get("/readyz", "")
    assert (reply.status_code, reply.json()) == (200, {"ledger": "ok", "engine": "ok"})


async def test_what_is_away_is_named(without_postgres: Served, without_engine: Served) -> None:
    first, second = await without_postgres.get("/readyz", ""), await without_engine.get("/readyz", "")
    assert first.status_code == second.status_code == 503
    assert (first.json()["engine"], second.json()["ledger"]) == ("ok", "ok")
