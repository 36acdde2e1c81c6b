r"""The plume over the surveys as a moving picture: GIF, and MP4 where ``ffmpeg`` is installed.

One frame a survey: truth (where it is known), mean and standard deviation of one method's posterior, with one colour scale
each over all frames.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from seisflow.errors import InputError
from seisflow.report import sections
from seisflow.runs.reading import RunFolder

__all__ = ["animate"]

SECONDS = 1.2
"""How long a frame stays."""


def _frames(run: RunFolder, method: str) -> list[Image.Image]:
    grid, frames = run.grid, []
    truths = [run.truth(k) for k in range(run.done[method])]
    steps = [run.ensemble(method, k, "posterior") for k in range(run.done[method])]
    fields = [
        (t["saturation"][0] if t is not None else None, s["saturation"])
        for t, s in zip(truths, steps, strict=True)
        if s
    ]
    window = sections.plume_window(grid, [f for t, s in fields for f in (t, s) if f is not None])
    widest = max(float(s.std(axis=0, ddof=1).max()) for _, s in fields) or 1.0
    highest = 1 - run.study.fluids.brine_residual
    tall = 0.5 + 5.9 * sections.EXAGGERATION * (window[1] - window[0]) / (grid.extent[0][1] - grid.extent[0][0])
    value = {"cmap": sections.VALUE, "vmin": 0.0, "vmax": highest}
    for k, (truth, samples) in enumerate(fields):
        figure = Figure(figsize=(7.2, 0.3 + tall * (2 + (truth is not None))))
        FigureCanvasAgg(figure)
        panels = [(samples.mean(axis=0), f"{run.methods[method].label}: mean", value)]
        panels.append(
            (
                samples.std(axis=0, ddof=1),
                "standard deviation",
                {"cmap": sections.DEVIATION, "vmin": 0.0, "vmax": widest},
            )
        )
        if truth is not None:
            panels.insert(0, (truth, "truth", value))
        figure.set_layout_engine("constrained", rect=(0.03, 0, 0.96, 1))
        for axes, (field, name, style) in zip(figure.subplots(len(panels), 1), panels, strict=True):
            sections.section(figure, axes, field, grid, name, window, "S [-]", **style)
            axes.set_ylabel("depth [m]", fontsize=8)
        axes.set_xlabel("x [m]", fontsize=8)
        figure.suptitle(f"CO2 saturation, survey {k + 1}, day {run.study.surveys.days[k]:g}", fontsize=10)
        figure.set_dpi(110)
        figure.canvas.draw()
        frames.append(Image.fromarray(np.asarray(figure.canvas.buffer_rgba())[..., :3].copy()))  # type: ignore[attr-defined]
    return frames


def _palette() -> Image.Image:
    """The 256 colours of a GIF: 104 of either colour map, so that no bands appear, and 48 greys."""
    shares = np.linspace(0, 1, 104)
    maps = [matplotlib.colormaps[name](shares)[:, :3] for name in (sections.VALUE, sections.DEVIATION)]
    greys = np.repeat(np.linspace(0, 1, 48)[:, None], 3, axis=1)
    image = Image.new("P", (1, 1))
    image.putpalette(np.rint(255 * np.concatenate([*maps, greys])).astype(np.uint8).tobytes())
    return image


def animate(run: RunFolder, folder: Path, method: str | None = None) -> list[Path]:
    """Write ``plume_METHOD.gif``, and ``.mp4`` where ``ffmpeg`` is there.

    Parameters
    ----------
    run
        The run folder.
    folder
        Where the files go.
    method
        Whose posterior; default: the learned flow where it is there, else the last method.

    Returns
    -------
    list[Path]
        The files; none for a run without a posterior.

    Raises
    ------
    InputError
        When the run has no posterior of that method.
    """
    if not run.done:
        return []
    method = method or ("flow" if "flow" in run.done else list(run.done)[-1])
    if method not in run.done:
        raise InputError("method", method, f"this run has posteriors of {', '.join(run.done)}")
    frames = _frames(run, method)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"plume_{method}.gif"
    palette = _palette()
    flat = [frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in frames]
    flat[0].save(path, save_all=True, append_images=flat[1:], duration=round(1000 * SECONDS), loop=0)
    written = [path]
    program = shutil.which("ffmpeg")
    if program is not None:
        with tempfile.TemporaryDirectory() as place:
            for i, frame in enumerate(frames):
                even = frame.crop((0, 0, frame.width // 2 * 2, frame.height // 2 * 2))  # the codec wants even sizes
                even.save(Path(place) / f"{i:04d}.png")
            film = path.with_suffix(".mp4")
            rate = ["-framerate", f"{1 / SECONDS:.4f}", "-i", str(Path(place) / "%04d.png")]
            coded = ["-c:v", "libx264", "-r", "25", "-pix_fmt", "yuv420p", str(film)]
            subprocess.run([program, "-y", "-loglevel", "error", *rate, *coded], check=True, stdin=subprocess.DEVNULL)
            written.append(film)
    return written
