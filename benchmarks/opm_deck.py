r"""A case of :class:`seisflow.dynamics.two_phase.model.TwoPhaseFlow` as an OPM Flow deck, constant for constant.

OPM's gas–water system (CO2 is its dead gas, brine its water) solves the same equations:

    face:     T = A / (h₁/(2k₁) + h₂/(2k₂)),   potential difference p₁ − p₂ − ½ (ρ₁ + ρ₂) g (z₁ − z₂) of each phase
    CO2:      PVDG interpolates 1/B linearly in p, so 1/B = 1 + c (p − p_ref) is exact      (our law "linear")
    brine:    PVTW, 1/B = 1 + X + X²/2, X = c (p − p_ref)                                   (our law "quadratic")
    curves:   SWFN and SGFN, piecewise linear on common nodes      (TabulatedCurves, TabulatedCapillarity)
    sources:  SOURCE, mass per cell; wells: WELSPECS, COMPDAT, WCONINJE with a surface (that is, mass) rate

The unit system is METRIC: bar, mD (9.869232667160130e-16 m², as in :mod:`seisflow.units`), cP, days; g = 9.80665 m/s².
The gas pressure is the primary variable, so PRESSURE holds p_w + p_c. Numbers are written with all their digits.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from seisflow.dynamics.two_phase.model import TabulatedCapillarity, TabulatedCurves, TwoPhaseFlow
from seisflow.ensemble import Ensemble
from seisflow.errors import InputError
from seisflow.units import BAR, DAY, MILLIDARCY

__all__ = ["deck"]

CENTIPOISE = 1e-3
PVDG_BARS = (1.0, 100.0, 200.0, 400.0, 800.0)
"""Nodes of PVDG; between them, and beyond, 1/B is linear."""


def deck(flow: TwoPhaseFlow, permeability: NDArray, start: Ensemble, ends: Sequence[float]) -> str:
    """The deck of a case with prescribed steps.

    Parameters
    ----------
    flow
        The case: linear CO2 and quadratic brine density, tabulated curves, incompressible rock, every cell active.
    permeability
        Horizontal permeability [m²], ``grid.shape``.
    start
        One member with ``saturation`` and (brine) ``pressure`` [Pa] at time 0.
    ends
        Ends of the steps [s].

    Raises
    ------
    InputError
        When OPM has no exact counterpart of a law in the case.
    """
    _check(flow)
    grid, rock, fluids = flow.grid, flow.rock, flow.fluids
    shape = grid.shape if grid.ndim == 3 else (grid.shape[0], 1, grid.shape[1])
    spacing = grid.spacing if grid.ndim == 3 else (grid.spacing[0], grid.thickness, grid.spacing[1])
    curves, nodes = fluids.relative_permeability, len(fluids.relative_permeability.saturation)
    perforations = max((len(well.cells(grid)) for well in flow.wells), default=1)
    wells = len(flow.wells)
    everywhere = np.ones(grid.shape)
    kx = _cells(permeability / MILLIDARCY)
    S, p = start["saturation"][0], start["pressure"][0]
    capillary = np.zeros(nodes) if fluids.capillarity is None else fluids.capillarity.pressure
    X = fluids.co2_compressibility * (np.asarray(PVDG_BARS) * BAR - fluids.reference_pressure)
    reference = fluids.reference_pressure / BAR
    parts = [
        "RUNSPEC",
        f"DIMENS\n {shape[0]} {shape[1]} {shape[2]} /",
        "METRIC\nGAS\nWATER",
        f"TABDIMS\n 1 1 {nodes + 10} {len(PVDG_BARS) + 10} /",
        f"WELLDIMS\n {max(wells, 1)} {perforations} 1 {max(wells, 1)} /",
        "START\n 1 JAN 2000 /",
        "GRID",
        *(f"D{axis}\n {shape[0] * shape[1] * shape[2]}*{_digits(h)} /" for axis, h in zip("XYZ", spacing, strict=True)),
        f"TOPS\n {shape[0] * shape[1]}*{_digits(grid.origin[-1])} /",
        _keyword("PERMX", kx),
        _keyword("PERMY", _cells(everywhere * rock.ky_over_kx) * kx),
        _keyword("PERMZ", _cells(everywhere * rock.kv_over_kh) * kx),
        _keyword("PORO", _cells(everywhere * rock.porosity)),
        _keyword("MULTPV", _cells(rock.capacity(grid) / (grid.cell_volume * rock.porosity))),
        "PROPS",
        _table("PVDG", zip(PVDG_BARS, 1 / (1 + X), [fluids.co2_viscosity / CENTIPOISE] * len(X), strict=True)),
        _table(
            "PVTW", [(reference, 1.0, fluids.brine_compressibility * BAR, fluids.brine_viscosity / CENTIPOISE, 0.0)]
        ),
        f"ROCK\n {_digits(reference)} 0.0 /",
        f"DENSITY\n 800.0 {_digits(fluids.brine_density)} {_digits(fluids.co2_density)} /",
        _table("SWFN", zip((1 - curves.saturation)[::-1], curves.brine[::-1], capillary[::-1] / BAR, strict=True)),
        _table("SGFN", zip(curves.saturation, curves.co2, [0.0] * nodes, strict=True)),
        "SOLUTION",
        _keyword("PRESSURE", _cells(fluids.co2_pressure(S, p) / BAR)),
        _keyword("SWAT", _cells(1 - S)),
        "SUMMARY",
        "SCHEDULE",
        *_well_keywords(flow),
        *_schedule(flow, ends),
        "END",
    ]
    return "\n".join(parts) + "\n"


def _check(flow: TwoPhaseFlow) -> None:
    fluids, rock = flow.fluids, flow.rock
    wanted = {
        "fluids.co2_density_law": (fluids.co2_density_law, "linear"),
        "fluids.brine_density_law": (fluids.brine_density_law, "quadratic"),
        "rock.compressibility": (rock.compressibility, 0.0),
        "rock.active": (rock.active, None),
        "fluids.land_coefficient": (fluids.land_coefficient, None),
    }
    for name, (value, exact) in wanted.items():
        if value is not exact and value != exact:
            raise InputError(name, value, f"OPM has an exact counterpart of {exact!r} only")
    curves, capillarity = fluids.relative_permeability, fluids.capillarity
    if not isinstance(curves, TabulatedCurves):
        raise InputError("fluids.relative_permeability", curves, "give TabulatedCurves")
    if capillarity is not None and not (
        isinstance(capillarity, TabulatedCapillarity) and np.array_equal(capillarity.saturation, curves.saturation)
    ):
        raise InputError("fluids.capillarity", capillarity, "give TabulatedCapillarity on the nodes of the curves")


def _cells(values: NDArray) -> NDArray:
    """One value per cell, with x running fastest, as decks have it."""
    return np.asarray(values, float).T.ravel()


def _digits(value: float) -> str:
    return repr(float(value))


def _lines(values: Iterable[float]) -> str:
    texts = [_digits(v) for v in values]
    return "\n".join(" " + " ".join(texts[i : i + 5]) for i in range(0, len(texts), 5))


def _keyword(name: str, values: NDArray) -> str:
    return f"{name}\n{_lines(values)} /"


def _table(name: str, rows: Iterable[Sequence[float]]) -> str:
    return name + "\n" + "\n".join(_lines(row) for row in rows) + " /"


def _well_keywords(flow: TwoPhaseFlow) -> list[str]:
    """Wells and their perforations; OPM computes Peaceman's index, cross-flow and operability shutting are off."""
    if not flow.wells:
        return []
    heads, perforations = [], []
    for w, well in enumerate(flow.wells):
        cells = well.cells(flow.grid)
        ix, iy, top = cells[0]
        depth = float(flow.grid.centres(-1)[top])
        heads.append(f" W{w + 1} G {ix + 1} {iy + 1} {_digits(depth)} GAS 1* STD SHUT NO /")
        perforations += [
            f" W{w + 1} {ix + 1} {iy + 1} {k + 1} {k + 1} OPEN 2* {_digits(2 * well.radius)} 1* {_digits(well.skin)} /"
            for _, _, k in cells
        ]
    return ["\n".join(["WELSPECS", *heads, "/"]), "\n".join(["COMPDAT", *perforations, "/"])]


def _schedule(flow: TwoPhaseFlow, ends: Sequence[float]) -> Iterable[str]:
    """Steps, and rates wherever they change."""
    before, begin = None, 0.0
    for end in ends:
        now = _rates(flow, begin)
        if now != before:
            yield now
        before = now
        yield f"TSTEP\n {_digits((end - begin) / DAY)} /"
        begin = end


def _rates(flow: TwoPhaseFlow, begin: float) -> str:
    """SOURCE [kg/day] and WCONINJE [m³/day at the surface, where 1/B = 1] of the step that begins at a time."""
    lines = []
    for source in flow.sources:
        ix, iy, iz = source.cell_in(flow.grid)
        now = source.rates_at(np.array([begin]))
        for phase, rates, rate in zip(("GAS", "WATER"), (source.co2, source.brine), now, strict=True):
            if np.any(np.asarray(rates) > 0):
                lines.append(f" {ix + 1} {iy + 1} {iz + 1} {phase} {_digits(rate[0] * DAY)} /")
    text = "\n".join(["SOURCE", *lines, "/"]) if lines else ""
    if flow.wells:
        period = int(np.searchsorted(flow.schedule.times, begin, side="right")) - 1
        rates = flow.schedule.rates[period] * DAY if period >= 0 else np.zeros(len(flow.wells))
        wells = []
        for w, (well, rate) in enumerate(zip(flow.wells, map(float, rates), strict=True)):
            limit = "1000.0" if well.pressure_limit is None else _digits(well.pressure_limit / BAR)
            wells.append(f" W{w + 1} GAS {'OPEN' if rate > 0 else 'SHUT'} RATE {_digits(rate)} 1* {limit} /")
        text += ("\n" if text else "") + "\n".join(["WCONINJE", *wells, "/"])
    return text
