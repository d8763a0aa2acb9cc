"""docs/settings.md is what the models say."""

import re
import tomllib

from settings.reference import PAGE, page


def test_the_settings_page_is_current_and_every_setting_says_what_it_is() -> None:
    text = page()
    assert PAGE.read_text("utf-8") == text, "run: python -m settings.reference"
    silent = [line for line in text.splitlines() if line.startswith("| `") and line.endswith("|  |")]
    assert silent == []


def test_every_default_can_be_copied_into_the_file() -> None:
    shown = re.findall(r"(?m)^\| `[^`]+` \| `([^`]+)` \|", page())
    assert len(shown) > 100
    for default in shown:
        tomllib.loads(f"value = {default}")
