"""A real browser on the whole stack. Every test has a browser context of its own; no page may load from elsewhere."""

import shutil
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import pytest
from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Page, Request, async_playwright, expect

from engine.stack import Stack
from tests.stack_process import Portal, running_stack

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
# Nothing of the browser's own may go out; it may run as root in a container without a display.
FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
).split()
LOCAL = ("127.0.0.1", "localhost")
PATIENCE = 20_000  # milliseconds: a busy machine is slow, not wrong
expect.set_options(timeout=PATIENCE)


@pytest.fixture(scope="package")
async def browser() -> AsyncIterator[Browser]:
    program = next(filter(None, map(shutil.which, PROGRAMS)), None)
    if program is None:
        pytest.skip(f"no browser: none of {', '.join(PROGRAMS)} is installed (.ci/run installs one)")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=program, args=FLAGS)
        yield browser
        await browser.close()


@pytest.fixture(scope="package")
async def stack(browser: Browser) -> AsyncIterator[Stack]:
    """One stack for all page tests; it is not started when there is no browser to look at it."""
    async with running_stack() as stack:
        yield stack


@pytest.fixture(scope="package")
async def portal(stack: Stack) -> AsyncIterator[Portal]:
    portal = Portal(stack.addresses)
    yield portal
    await portal.close()


@pytest.fixture
async def context(browser: Browser, stack: Stack) -> AsyncIterator[BrowserContext]:
    """A browser that nobody has used. Fails the test when a page asked another host or its scripts failed."""
    context = await browser.new_context(viewport={"width": 1280, "height": 900})
    context.set_default_timeout(PATIENCE)
    left: list[str] = []
    complaints: list[str] = []

    def asked(request: Request) -> None:
        where = urlsplit(request.url)
        if where.scheme in ("http", "https", "ws", "wss") and where.hostname not in LOCAL:
            left.append(request.url)

    def said(message: ConsoleMessage) -> None:
        # A refused sign-in is an answer with status 401, which Chromium notes as an error of the page.
        if message.type == "error" and "Failed to load resource" not in message.text:
            complaints.append(message.text)

    context.on("request", asked)
    context.on("console", said)
    context.on("weberror", lambda error: complaints.append(str(error.error)))
    yield context
    await context.close()
    assert not left, f"the pages loaded from elsewhere: {left}"
    assert not complaints, f"the pages complained: {complaints}"


@pytest.fixture
async def page(context: BrowserContext) -> Page:
    return await context.new_page()


@pytest.fixture
async def console(page: Page, stack: Stack) -> Page:
    """The console's overview, signed in as an operator who may decide."""
    await page.goto(f"{stack.addresses.api}/console/")
    await page.get_by_label("Token").fill(stack.addresses.operator_token)
    await page.get_by_role("button", name="Sign in").click()
    await page.get_by_role("heading", name="Overview", level=1).wait_for()
    return page
