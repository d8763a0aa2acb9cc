"""The console's forms: read with a limit, and only when this session made them."""

from urllib.parse import parse_qs

from starlette.requests import Request

from api.body import raw_body
from api.console import session as sessions
from api.console.session import Session
from api.errors import Refusal

_LIMIT = 64 * 1024  # bytes


async def read_form(request: Request, session: Session | None = None) -> dict[str, str]:
    """The form's fields. With a session the form secret must be the session's. Raises Refusal (403)."""
    text = (await raw_body(request, _LIMIT)).decode("utf-8", "replace")
    form = {name: values[-1] for name, values in parse_qs(text, keep_blank_values=True).items()}
    if session is not None and not sessions.same(form.pop("form_secret", ""), session.form_secret):
        raise Refusal(403, "form", "this form was not made by this session; open the page again and send it anew")
    return form
