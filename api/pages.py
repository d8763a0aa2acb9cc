"""Renders the server-side pages. Everything is escaped; no page loads anything from elsewhere."""

import re
from datetime import datetime
from pathlib import Path
from urllib.parse import quote

from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

_environment = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
CSS = (Path(__file__).parent / "templates" / "holdfast.css").read_text("utf-8")
_DAY = 86_400  # seconds


def _age(since: datetime, now: datetime) -> str:
    """`4 d 3 h`, `3 h 12 min`, `12 min`, `40 s`."""
    seconds = max(int((now - since).total_seconds()), 0)
    if seconds >= _DAY:
        return f"{seconds // _DAY} d {seconds % _DAY // 3600} h"
    if seconds >= 3600:
        return f"{seconds // 3600} h {seconds % 3600 // 60} min"
    return f"{seconds // 60} min" if seconds >= 60 else f"{seconds} s"


def _moment(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S}"


def _code(text: str) -> Markup:
    """What stands between backticks as code; everything is escaped."""
    return Markup(re.sub("`([^`]+)`", r"<code>\1</code>", str(escape(text))))


_environment.filters["code"] = _code
_environment.filters["moment"] = _moment
_environment.filters["segment"] = lambda text: quote(str(text), safe="")
_environment.globals["age"] = _age
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src data:; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}


def page(template: str, *, status: int = 200, **values: object) -> HTMLResponse:
    return HTMLResponse(_environment.get_template(template).render(**values), status, headers=_HEADERS)
