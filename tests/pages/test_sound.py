"""The check of pages can fail: each line of a bad page is found."""

import pytest
from playwright.async_api import Page

from tests.pages.sound import assert_sound

BAD = """<!doctype html><title></title><h1>One</h1><h1>Two</h1><h3 id="a">Deep</h3><input id="a"><a href="/"></a>
<nav><button></button></nav><table><tr><td>1</td></tr></table><fieldset></fieldset>
<p style="color: #999; background: #fff; width: 50rem">faint</p>"""
FOUND = (
    "no lang",
    "no title",
    "2 h1",
    "0 main",
    "0 meta[name=viewport]",
    "no label",
    "no name: <a",
    "no name: <button",
    "no column headings",
    "no legend",
    "nav without a name",
    "id twice: a",
    "heading skips a level",
    "faint: faint: 2.85",
    "wider than a phone",
)


async def test_every_mistake_of_a_bad_page_is_named(page: Page) -> None:
    await page.set_content(BAD)
    with pytest.raises(AssertionError) as failed:
        await assert_sound(page, "bad")
    assert [mistake for mistake in FOUND if mistake not in str(failed.value)] == []
