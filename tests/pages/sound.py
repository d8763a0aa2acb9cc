"""What every page of ours keeps, so that it can be read with a keyboard, a screen reader, a phone and at night."""

from pathlib import Path
from typing import Any

from playwright.async_api import Page, ViewportSize

SCREENSHOTS = Path(__file__).parents[2] / "var" / "screenshots"
PHONE, DESKTOP = ViewportSize(width=390, height=844), ViewportSize(width=1280, height=900)
LOWEST_CONTRAST = 4.5  # WCAG 2.2, 1.4.3

_STRUCTURE = """() => {
  const wrong = [], all = (query) => [...document.querySelectorAll(query)];
  const told = (element) => element.outerHTML.replace(/\\s+/g, " ").slice(0, 90);
  const one = (query) => { if (all(query).length !== 1) wrong.push(`${all(query).length} ${query}`); };
  if (!document.documentElement.lang) wrong.push("no lang");
  if (!document.title.trim()) wrong.push("no title");
  ["h1", "main", "meta[name=viewport]"].forEach(one);
  for (const field of all("input:not([type=hidden]), select, textarea"))
    if (![...(field.labels ?? [])].some((label) => label.textContent.trim()) && !field.ariaLabel)
      wrong.push(`no label: ${told(field)}`);
  for (const act of all("button, a[href], summary"))
    if (!act.textContent.trim() && !act.ariaLabel) wrong.push(`no name: ${told(act)}`);
  for (const table of all("table"))
    if (!table.querySelector("thead th[scope=col]")) wrong.push(`no column headings: ${told(table)}`);
  for (const group of all("fieldset")) if (!group.querySelector("legend")) wrong.push(`no legend: ${told(group)}`);
  for (const region of all("nav")) if (!region.ariaLabel) wrong.push(`nav without a name: ${told(region)}`);
  const ids = all("[id]").map((element) => element.id);
  for (const id of new Set(ids)) if (ids.filter((other) => other === id).length > 1) wrong.push(`id twice: ${id}`);
  let level = 0;
  for (const heading of all("h1, h2, h3, h4, h5, h6")) {
    const next = Number(heading.tagName[1]);
    if (next > level + 1) wrong.push(`heading skips a level: ${told(heading)}`);
    level = next;
  }
  return wrong;
}"""

_FITS = "() => document.documentElement.scrollWidth <= document.documentElement.clientWidth"

# The colors of every text against the nearest background behind it.
_FAINT = """(lowest) => {
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const rgba = (color) => {
    canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = color; canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const light = ([r, g, b]) => [r, g, b].map((part) => part / 255)
    .map((part) => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4)
    .reduce((sum, part, i) => sum + part * [0.2126, 0.7152, 0.0722][i], 0);
  const page = matchMedia("(prefers-color-scheme: dark)").matches ? [18, 18, 18, 255] : [255, 255, 255, 255];
  const behind = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const color = rgba(getComputedStyle(at).backgroundColor);
      if (color[3] === 255) return color;
    }
    return page;
  };
  const faint = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement, text = walker.currentNode.textContent.trim();
    if (!text || !element.checkVisibility() || element.closest("style, script, option, :disabled")) continue;
    const [a, b] = [light(rgba(getComputedStyle(element).color)), light(behind(element))].sort((x, y) => y - x);
    const contrast = (a + 0.05) / (b + 0.05);
    if (contrast < lowest) faint.push(`${text.slice(0, 40)}: ${contrast.toFixed(2)}`);
  }
  return faint;
}"""


async def assert_sound(page: Page, name: str) -> None:
    """Landmarks, labels, headings, contrast by day and by night, and a width that fits a phone. Keeps screenshots."""
    wrong: list[Any] = list(await page.evaluate(_STRUCTURE))
    await page.emulate_media(color_scheme="dark")
    wrong += [f"faint in the dark: {text}" for text in await page.evaluate(_FAINT, LOWEST_CONTRAST)]
    await picture(page, f"{name}-dark")
    await page.emulate_media(color_scheme="light")
    wrong += [f"faint: {text}" for text in await page.evaluate(_FAINT, LOWEST_CONTRAST)]
    await picture(page, name)
    await page.set_viewport_size(PHONE)
    if not await page.evaluate(_FITS):
        wrong.append("wider than a phone")
    await picture(page, f"{name}-phone")
    await page.set_viewport_size(DESKTOP)
    assert not wrong, f"{name} ({page.url}): {wrong}"


async def picture(page: Page, name: str) -> None:
    """For people to look at; the folder is not kept under version control."""
    await page.screenshot(path=SCREENSHOTS / f"{name}.png")
