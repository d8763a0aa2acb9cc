"""Options that several commands share."""

from typing import Annotated

import typer

Json = Annotated[bool, typer.Option("--json", help="Print JSON for machines instead of prose.")]
ApiUrl = Annotated[
    str | None,
    typer.Option("--api", envvar="HOLDFAST_API_URL", help="Address of the API; else that of a running `up`."),
]
Token = Annotated[
    str | None, typer.Option("--token", envvar="HOLDFAST_TOKEN", help="Bearer token; else the one of a running `up`.")
]
