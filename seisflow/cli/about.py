r"""``seisflow doctor``, ``seisflow keys``, ``seisflow version``."""

from __future__ import annotations

from typing import Annotated

import typer

import seisflow
from seisflow.cli.console import say

__all__ = ["doctor", "keys", "version"]


def doctor() -> None:
    """Check this machine: what is missing, and what to do about it."""
    from seisflow.cli.doctor import checks, render

    found = checks()
    say(render(found))
    if any(check.status == "fail" for check in found):
        raise typer.Exit(code=1)


def keys(
    markdown: Annotated[bool, typer.Option("--markdown", help="As a page of Markdown instead, with tables.")] = False,
) -> None:
    """List every key of a study file: default, range and meaning."""
    from seisflow.study.keys_page import keys_markdown, keys_text

    typer.echo(keys_markdown() if markdown else keys_text(), nl=False)


def version() -> None:
    """Print the version of seisflow."""
    say(seisflow.__version__)
