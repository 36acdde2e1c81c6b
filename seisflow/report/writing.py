r"""Write the report of a run folder, finished or not."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from seisflow.runs.reading import RunFolder

__all__ = ["write_report"]


def write_report(
    folder: str | Path,
    show: Callable[[str, int, int], None] | None = None,
    *,
    out: Path | None = None,
    figures: Literal["none", "few", "all"] = "all",
    animation: bool = False,
    dpi: int = 110,
) -> list[Path]:
    """Write ``index.html``, and on request ``figures/*.png`` and the moving picture.

    Parameters
    ----------
    folder
        The run folder.
    show
        Called as ``show(what, done, total)``.
    out
        Where to write; default: the run folder itself.
    figures
        Which: the scores and comparisons (``"few"``), or those of every method and survey as well (``"all"``).
    animation
        Whether to write the moving picture.
    dpi
        Of the figures.

    Returns
    -------
    list[Path]
        What was written, the page first.

    Raises
    ------
    InputError
        When the folder holds no run.
    """
    from seisflow.report.animation import animate
    from seisflow.report.figures import draw
    from seisflow.report.page import page

    run, place = RunFolder(Path(folder)), Path(out or folder)
    place.mkdir(parents=True, exist_ok=True)
    path = place / "index.html"
    partial = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        partial.write_text(page(run), encoding="utf-8")
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    written = [path]
    if figures != "none":
        written += draw(run, place / "figures", show, dpi, figures == "few")
    if animation:
        written += animate(run, place / "figures")
    return written
