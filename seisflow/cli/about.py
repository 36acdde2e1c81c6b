r"""``seisflow doctor``, ``seisflow keys``, ``seisflow version``."""

from __future__ import annotations

import typer

import seisflow
from seisflow.cli.console import say

__all__ = ["doctor", "keys", "version"]


def doctor() -> None:
    """Check this machine: Python, torch, compiler, Devito, Julia; one line and one remedy each."""
    from seisflow.cli.doctor import checks, render

    found = checks()
    say(render(found))
    if any(check.status == "fail" for check in found):
        raise typer.Exit(code=1)


def keys() -> None:
    """List every key of a study file, with its default, allowed values and meaning."""
    from seisflow.study.keys_page import study_keys

    typer.echo(study_keys(), nl=False)


def version() -> None:
    """Print the version."""
    say(seisflow.__version__)
