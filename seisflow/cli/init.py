r"""``seisflow init``: a study file to begin with."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from seisflow.cli.console import failing_clearly, say
from seisflow.errors import InputError

__all__ = ["init"]


def init(
    file: Annotated[Path, typer.Argument(help="File to write. A file that exists is never replaced.")] = Path(
        "study.toml"
    ),
    name: Annotated[
        str | None, typer.Option(help="Name of the study. Default: that of the file.", show_default=False)
    ] = None,
) -> None:
    """Write a study file with every key, its default and meaning."""
    from seisflow.study import Study

    with failing_clearly():
        if file.exists():
            raise InputError("file", str(file), "it exists, and is left as it is; give another name")
        if not file.absolute().parent.is_dir():
            raise InputError("file", str(file), "its folder does not exist")
        study = Study.from_dict({"name": name or file.stem})
        study.save(file, comments=True)
    say(f"study    {file}")
    say(f"next     seisflow validate {file}; seisflow run {file}")
