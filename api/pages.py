"""Renders the server-side pages. Everything is escaped; no page loads anything from elsewhere."""

from pathlib import Path

from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

_environment = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
CSS = (Path(__file__).parent / "templates" / "holdfast.css").read_text("utf-8")
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src data:; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}


def page(template: str, *, status: int = 200, **values: object) -> HTMLResponse:
    return HTMLResponse(_environment.get_template(template).render(**values), status, headers=_HEADERS)
