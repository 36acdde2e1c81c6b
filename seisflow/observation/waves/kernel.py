r"""The compiled time loops (Devito): what one step does to the fields of :mod:`seisflow.observation.waves.propagator`.

One step of a field w, forwards (or backwards, with w⁺ and w⁻ exchanged), on the nodes of the padded grid:

    ψ_a ← b_a ψ_a + a_a D_a w                                  in the layers of axis a
    w⁺  = α L w + β w − w⁻                                     everywhere
    ζ_a ← b_a ζ_a + a_a (L_a w + D_a ψ_a)                      in the layers, and where D_a still sees ψ_a
    w⁺ += α (D_a ψ_a + ζ_a)                                    there too
    w⁺ += α √ρ (sources)
    w⁺(mirror of a node) = −w⁺(node)                           above a free surface

The free surface lies half a node above the first one of the model; as many rows above it as the stencil reaches carry the
mirror image, so that the discrete Laplacian stays symmetric. A source between the surface and the first node acts through
its own mirror image too.

This is the only file that knows Devito. An operator is symbolic code, generated once per process for all propagators of one
kind (dimension, order, precision, surface) and compiled once per machine: Devito keeps the shared objects in a cache on
disk, which several processes may use at once. It is called directly with the arguments that Devito prepared, because
preparing them anew takes as long as a quarter of a small simulation.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from seisflow.observation.waves.compiling import compiling
from seisflow.observation.waves.layout import KeptSteps, WaveLayout

__all__ = ["Kernel", "operators_built"]

_operators: dict[tuple, tuple[Any, WaveLayout]] = {}  # each with the layout it was generated for


def operators_built() -> int:
    """Number of operators that this process has generated so far."""
    return len(_operators)


class Kernel:
    """Fields, and the loops over them, of one layout.

    Parameters
    ----------
    layout
        Sizes.
    sources, receivers
        Coordinates [m].
    coefficients
        a and b of the layer along every axis.
    """

    def __init__(
        self, layout: WaveLayout, sources: NDArray, receivers: NDArray, coefficients: list[tuple[NDArray, NDArray]]
    ) -> None:
        import devito as dv

        self.layout = layout
        dtype, order = layout.dtype.type, layout.order
        extent = tuple((n - 1) * h for n, h in zip(layout.shape, layout.spacing, strict=True))
        self.grid = dv.Grid(layout.shape, extent=extent, origin=layout.first_node, dtype=dtype)
        dims = self.grid.dimensions
        self.kept_dimension = dv.ConditionalDimension("t_kept", parent=self.grid.time_dim, factor=layout.every)
        f: dict[str, Any] = {}
        for name in ("alpha", "beta", "root", "perturbation", "total"):
            # Order 1 gives the halo that off-node sources and receivers ask for.
            f[name] = dv.Function(name=name, grid=self.grid, space_order=1)
        for name in ("w", "scattered"):
            f[name] = dv.TimeFunction(name=name, grid=self.grid, time_order=2, space_order=order)
            for axis in range(len(dims)):
                f[f"psi_{name}{axis}"] = dv.Function(name=f"psi_{name}{axis}", grid=self.grid, space_order=order)
                f[f"zeta_{name}{axis}"] = dv.Function(name=f"zeta_{name}{axis}", grid=self.grid, space_order=0)
        for axis, (a, b) in enumerate(coefficients):
            for name, values in (("a", a), ("b", b)):
                line = dv.Function(
                    name=f"{name}{axis}", grid=self.grid, dimensions=(dims[axis],), shape=values.shape, space_order=0
                )
                line.data[:] = values
                f[f"{name}{axis}"] = line
        for name, points in (("src", sources), ("rec", receivers)):
            f[name] = self._series(name, layout.n_steps, points)
        self.fields = f
        self._prepared: dict[str, tuple[Any, list[str], list]] = {}

    def store(self, steps: int) -> KeptSteps:
        """An empty store for a background field over so many steps."""
        import devito as dv

        saved = (steps - 1) // self.layout.every + 1
        field = dv.TimeFunction(
            name="kept", grid=self.grid, time_order=0, space_order=0, save=saved, time_dim=self.kept_dimension
        )
        series = {name: self.fields[name] for name in ("src", "rec")}
        if steps != self.layout.n_steps:
            series = {name: self._series(name, steps, old.coordinates.data) for name, old in series.items()}
        return KeptSteps(field, series, {})

    def _series(self, name: str, steps: int, points: NDArray) -> Any:
        """Values over time at points between the nodes."""
        import devito as dv

        return dv.SparseTimeFunction(
            name=name, grid=self.grid, npoint=len(points), nt=steps, coordinates=np.array(points)
        )

    # -- symbolic part -----------------------------------------------------------------------------------------------

    def _step(self, name: str, forward: bool) -> list:
        """The equations of one step of a field, without sources and mirror."""
        import devito as dv

        f, order = self.fields, self.layout.order
        field = f[name]
        new, old = (field.forward, field.backward) if forward else (field.backward, field.forward)
        first, last = [], []
        for axis, d in enumerate(self.grid.dimensions):
            psi, zeta, a, b = f[f"psi_{name}{axis}"], f[f"zeta_{name}{axis}"], f[f"a{axis}"], f[f"b{axis}"]
            slope = dv.Derivative(field, (d, 1), fd_order=order)
            inward = dv.Derivative(psi, (d, 1), fd_order=order)
            curvature = dv.Derivative(field, (d, 2), fd_order=order)
            for side in ("left", "right"):
                above = side == "left" and axis == len(self.grid.dimensions) - 1
                if not self.layout.layer or (above and self.layout.free_surface):
                    continue
                slab, wide = (self._slab(d, side, width) for width in self.layout.slabs[axis])
                first.append(dv.Eq(psi, b * psi + a * slope, subdomain=slab))
                last.append(dv.Eq(zeta, b * zeta + a * (curvature + inward), subdomain=wide))
                last.append(dv.Eq(new, new + f["alpha"] * (inward + zeta), subdomain=wide))
        return [*first, dv.Eq(new, f["alpha"] * field.laplace + f["beta"] * field - old), *last]

    def _slab(self, dimension: Any, side: str, width: int) -> Any:
        import devito as dv

        class Slab(dv.SubDomain):
            name = f"{side}_{dimension.name}_{width}"

            def define(self, dimensions: tuple) -> dict:
                return {d: (side, width) if d is dimension else d for d in dimensions}

        return Slab(grid=self.grid)

    def _mirror(self, name: str, forward: bool, inject: list) -> list:
        """Sources of one field, and its mirror image above a free surface."""
        import devito as dv

        if not self.layout.free_surface:
            return inject
        field, reach = self.fields[name], self.layout.order // 2
        z = self.grid.dimensions[-1]
        new = field.forward if forward else field.backward
        row = [new.subs({z: k}) for k in range(2 * reach)]
        # What is injected into the first mirror row acts on its mirror image with the opposite sign.
        before = [dv.Eq(row[reach - 1], 0)]
        after = [dv.Eq(row[reach], row[reach] - row[reach - 1])]
        after += [dv.Eq(row[reach - 1 - k], -row[reach + k]) for k in range(reach)]
        return [*before, *inject, *after]

    def _equations(self, name: str, kept: Any) -> list:
        import devito as dv

        f = self.fields
        w, scattered, src, rec = f["w"], f["scattered"], f["src"], f["rec"]
        gain = f["alpha"] * f["root"]
        if name in ("adjoint", "correlate"):
            arrive = self._mirror("w", False, [rec.inject(field=w.backward, expr=rec * gain)])
            read = [src.interpolate(expr=w * f["root"])] if name == "adjoint" else [dv.Inc(f["total"], kept * w)]
            return [*self._step("w", False), *arrive, *read]
        emit = [*self._step("w", True), *self._mirror("w", True, [src.inject(field=w.forward, expr=src * gain)])]
        what = w if name.endswith("field") else w.forward - 2 * w + w.backward
        if name == "forward":
            return [*emit, rec.interpolate(expr=w * f["root"])]
        if name.startswith("keep"):
            return [*emit, dv.Eq(kept, what)]
        scatter = dv.Eq(scattered.forward, scattered.forward + f["alpha"] * f["perturbation"] * what)
        step = [*self._step("scattered", True), *self._mirror("scattered", True, [scatter])]
        return [*emit, *step, rec.interpolate(expr=scattered * f["root"])]

    def _operator(self, name: str, kept: Any) -> tuple[Any, WaveLayout]:
        import devito as dv

        key = (*self.layout.kind, name)
        if key not in _operators:
            language = "openmp" if self.layout.threads > 1 else "C"
            with dv.switchconfig(log_level="ERROR"):
                operator = dv.Operator(self._equations(name, kept), name="Waves", language=language)
                with compiling():
                    _ = operator.cfunction
            _operators[key] = (operator, self.layout)
        return _operators[key]

    # -- running -----------------------------------------------------------------------------------------------------

    def run(self, name: str, steps: int, store: KeptSteps | None = None) -> None:
        """Run the first ``steps`` steps (backwards for ``"adjoint"`` and ``"correlate"``) on what the fields hold.

        Parameters
        ----------
        name
            ``"forward"``, ``"adjoint"``, ``"correlate"``, ``"keep field"``, ``"keep acceleration"``, ``"born field"`` or
            ``"born acceleration"``.
        steps
            Number of steps.
        store
            Of the background field, for the operators that write or read one.
        """
        prepared = self._prepared if store is None else store.prepared
        if name not in prepared:
            prepared[name] = self._prepare(name, store)
        operator, names, values = prepared[name]
        failed = operator.cfunction(*[steps - 1 if n == "time_M" else v for n, v in zip(names, values, strict=True)])
        assert failed == 0, f"the compiled loop {name!r} returned {failed}"

    def _prepare(self, name: str, store: KeptSteps | None) -> tuple[Any, list[str], list]:
        """An operator, and the names and values of its arguments for this layout."""
        import devito as dv

        layout = self.layout
        fields = dict(self.fields)
        if store is not None:
            fields.update(store.series, kept=store.field)
        operator, origin = self._operator(name, fields.get("kept"))
        names = [p.name for p in operator.parameters]
        given = {key: value for key, value in fields.items() if key in names}
        if layout.threads > 1:
            given.update({key: layout.threads for key in ("nthreads", "nthreads_nonaffine") if key in names})
        with dv.switchconfig(log_level="ERROR"):
            values = dict(operator.arguments(time_m=0, time_M=0, **given))
        # The operator may stem from another layout: widths of slabs and the interval of kept steps are arguments too.
        axes = [d.name for d in self.grid.dimensions]
        for key in names:
            if "tkn" in key:
                axis = axes.index(key.split("_")[0])
                values[key] = layout.slabs[axis][origin.slabs[axis].index(int(values[key]))]
        if "t_keptf" in names:
            values["t_keptf"] = layout.every
        return operator, names, [values[key] for key in names]

    @property
    def _wavefields(self) -> list[Any]:
        return [f for key, f in self.fields.items() if key in ("w", "scattered") or key.startswith(("psi", "zeta"))]

    def silence(self) -> None:
        """Set all wavefields to zero."""
        for field in self._wavefields:
            field.data_with_halo[:] = 0

    def state(self, into: list[NDArray] | None = None) -> list[NDArray]:
        """A copy of the wavefields of one simulation (not of the scattered field), in new memory or ``into`` an old copy."""
        own = [f for key, f in self.fields.items() if self._carries(key)]
        if into is None:
            return [np.array(f.data_with_halo) for f in own]
        for values, field in zip(into, own, strict=True):
            values[:] = field.data_with_halo
        return into

    def resume(self, state: list[NDArray]) -> None:
        """Put a copied state back."""
        own = [f for key, f in self.fields.items() if self._carries(key)]
        for field, values in zip(own, state, strict=True):
            field.data_with_halo[:] = values

    @staticmethod
    def _carries(key: str) -> bool:
        return key == "w" or key.startswith(("psi_w", "zeta_w"))
