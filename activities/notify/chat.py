"""One chat room or webhook, through Apprise. The library blocks, so every call runs in a thread of its own."""

import asyncio
import hashlib
import logging
import re
import threading
from typing import Any

_SAID = 200  # characters


class NotTaken(Exception):
    """The channel did not take the notice; the text says why, without its address."""


class ChatRoom:
    """`name` tells the rooms apart without giving their keys away; it stays the same while the address does."""

    def __init__(self, url: str) -> None:
        made = _read(url)
        if made is None:
            raise ValueError("not an address that Apprise can read")
        self._room = made
        digest = hashlib.sha256(url.encode()).hexdigest()[:6]
        self.name = f"{url.partition(':')[0].lower()}-{digest}"

    async def send(self, subject: str, text: str) -> None:
        """Raises NotTaken."""
        await asyncio.to_thread(self._send, subject, text)

    def _send(self, subject: str, text: str) -> None:
        log, told = logging.getLogger("apprise"), _Told()
        log.addHandler(told)
        try:
            taken = self._room.notify(body=text or subject, title=subject, body_format="text")
        except Exception as err:
            raise NotTaken(type(err).__name__) from err
        finally:
            log.removeHandler(told)
        if not taken:
            raise NotTaken(told.last or "the service did not take it")


class _Told(logging.Handler):
    """The library answers yes or no, and tells its reason to its log. This hears the thread that made it."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._thread = threading.get_ident()
        self.last = ""

    def emit(self, record: logging.LogRecord) -> None:
        if record.thread == self._thread:
            self.last = re.sub(r"\S+://\S+", "…", record.getMessage())[:_SAID]


def readable(url: str) -> bool:
    """Whether Apprise knows the service and the address is whole."""
    return _read(url) is not None


def _read(url: str) -> Any:
    import apprise  # not at the top: it reads in every service that it knows, and most commands need none

    asset = apprise.AppriseAsset(
        app_id="Holdfast", app_desc="Holdfast", storage_mode=apprise.PersistentStoreMode.MEMORY
    )
    log = logging.getLogger("apprise")
    quiet, log.disabled = log.disabled, True  # its complaint quotes the address
    try:
        return apprise.Apprise.instantiate(url, asset=asset, suppress_exceptions=True)
    finally:
        log.disabled = quiet
