r"""Localised regression of the state on the data, cross-fitted: a first guess, and an analysis without any network.

Cells are taken in tiles; in tile t every datum j counts by its taper ρ_tj (1 here, 0 far away, a product over the axes),
v_j its noise variance. With members x_m and noise-free data h_m, over a set T of n members,

    G_t = Σ_j ρ_tj h_j h_jᵀ / v_j ,    g_t(y) = Σ_j ρ_tj h_j y_j / v_j ,    w_t(y) = (G_tᶜ + γ (n − 1) I)⁻¹ g_tᶜ(y) ,
    x̂(y) = x̄ + Σ_m w_tm (x_m − x̄)   in the cells of tile t,

ᶜ meaning centred over T: the Kalman gain of T with the data around the tile, γ = 1 the textbook one (the mean of a local
ensemble transform Kalman filter; Hunt, Kostelich & Szunyogh 2007, Physica D 230, 112–126). All of it on transformed states
(:mod:`seisflow.analysis.transform`). A datum without a place counts in every tile.

Radius and γ are chosen for each field by the error of the physical fields of members left out, each with fresh noise. The
guess for a member comes from members of other folds only, so its residual x_m − x̂(y_m) has the size of an error on new data;
the guess for the datum comes from all members. The analysis carries every residual over,

    x̂_i = x̂(y°) + (x_i − x̂_{−i}(y_i)) ,    y_i = h_i + e_i ,

the joint-to-conditional map of a linear model (Spantini, Baptista & Marzouk 2022, SIAM Review 64, 921–953).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from seisflow.analysis.base import Analysis, Evidence, Posterior, Progress
from seisflow.analysis.learned.regression import folds
from seisflow.analysis.learned.tiles import Tiles
from seisflow.analysis.table import MethodTable, Site
from seisflow.analysis.transform import FittedTransform, StateTransform
from seisflow.covariance import Covariance
from seisflow.ensemble import Ensemble
from seisflow.errors import InputError
from seisflow.observation.data import DataField

__all__ = ["LocalizedRegression", "LocalizedRegressionAnalysis", "LocalizedRegressionTable"]

RADII = (1.5, 2.5, 4.0, 8.0)
"""Radii that are tried, in cells."""
RIDGES = (0.3, 1.0, 3.0, 10.0, 30.0, 100.0)
"""γ that are tried."""
LEAST_MEMBERS = 8


class _Fit:
    """The regression of one set T of members in all tiles."""

    def __init__(self, members: NDArray, gram: NDArray) -> None:
        self.members = members
        block = gram[:, members][:, :, members]
        self.row_mean = block.mean(axis=2)
        block = block - self.row_mean[:, None, :]
        block -= block.mean(axis=2, keepdims=True)
        values, self.vectors = np.linalg.eigh((block + block.transpose(0, 2, 1)) / 2)
        self.values = np.maximum(values, 0)

    def guess(self, tiled: NDArray, products: NDArray, ridge: float) -> NDArray:
        """x̂ ``(tiles, n, C, cells)`` from states ``(tiles, M, C, cells)`` and products g ``(n, M, tiles)``."""
        n, g = len(self.members), products[:, self.members].transpose(2, 1, 0) - self.row_mean[:, :, None]
        g = g - g.mean(axis=1, keepdims=True)
        rotated = self.vectors.transpose(0, 2, 1) @ g / (self.values + ridge * (n - 1))[:, :, None]
        weights = self.vectors @ rotated
        weights += 1 / n - weights.mean(axis=1, keepdims=True)
        states = tiled[:, self.members]
        found = weights.transpose(0, 2, 1) @ states.reshape(*states.shape[:2], -1)
        return found.reshape(*found.shape[:2], *states.shape[2:])


class LocalizedRegression:
    """The regression of this module's head.

    Parameters
    ----------
    state
        Latent states ``(M, C, *shape)``.
    predicted
        Noise-free data ``(M, D)``, packed in the order of the tiles' data.
    noise
        R, of which the variances are used.
    tiles
        Tiles of the state's grid.
    physical
        Latents ``(n, C, *shape)`` ↦ physical values of the same shape, in which errors are judged.
    n_folds
        Parts into which the members are cut for cross-fitting.
    generator
        For the cut and the noise.
    radii, ridges
        Radii [cells] and γ to choose from.

    Attributes
    ----------
    chosen
        Radius [cells] and γ of every field.
    """

    def __init__(
        self,
        state: NDArray,
        predicted: NDArray,
        noise: Covariance,
        tiles: Tiles,
        physical: Callable[[NDArray], NDArray],
        n_folds: int,
        generator: np.random.Generator,
        radii: Sequence[float] = RADII,
        ridges: Sequence[float] = RIDGES,
    ) -> None:
        self.tiles, self._deviation = tiles, np.sqrt(noise.variance)
        self._tiled = tiles.cut(np.asarray(state, np.float32))
        self._whitened = (predicted / self._deviation).astype(np.float32)
        everyone = np.arange(len(state))
        self._fold_of, parts = np.empty(len(state), int), folds(everyone, n_folds, generator)
        for k, part in enumerate(parts):
            self._fold_of[part] = k
        noisy, truth = predicted + noise.sample(len(state), generator), physical(state)
        fits: dict[float, list[_Fit]] = {}
        errors: dict[tuple[float, float], NDArray] = {}
        for radius in radii:
            gram = self._products(self._whitened, radius).transpose(2, 0, 1)
            products = self._products(noisy / self._deviation, radius)
            fits[radius] = [_Fit(np.setdiff1d(everyone, part), gram) for part in parts] + [_Fit(everyone, gram)]
            for ridge in ridges:
                errors[radius, ridge] = self._left_out(fits[radius], parts, products, ridge, physical, truth)
        self.chosen = [min(errors, key=lambda choice: errors[choice][c]) for c in range(state.shape[1])]
        self._fits = {radius: fits[radius] for radius, _ in self.chosen}

    def _products(self, data: NDArray, radius: float) -> NDArray[np.float32]:
        """g of whitened data ``(n, D)``: ``(n, M, tiles)``."""
        data = np.asarray(data, np.float32)
        near, n_tiles = self.tiles.near(radius), int(np.prod(self.tiles.shape))
        found = np.zeros((len(data), len(self._whitened), n_tiles), np.float32)
        ends = np.cumsum([int(np.prod(about.shape)) for about in self.tiles.data.values()])
        for about, around, end in zip(self.tiles.data.values(), near, ends, strict=True):
            columns = slice(end - int(np.prod(about.shape)), end)
            for i, row in enumerate(data[:, columns]):
                found[i] += around((self._whitened[:, columns] * row).reshape(-1, *about.shape))
        return found

    def _left_out(
        self,
        fits: list[_Fit],
        parts: list[NDArray],
        products: NDArray,
        ridge: float,
        physical: Callable[[NDArray], NDArray],
        truth: NDArray,
    ) -> NDArray[np.float64]:
        """Summed squared error of every field over members left out."""
        total = np.zeros(truth.shape[1])
        for fit, part in zip(fits, parts, strict=False):
            guess = physical(self.tiles.joined(fit.guess(self._tiled, products[part], ridge)))
            total += ((guess - truth[part]) ** 2).sum(axis=(0, *range(2, truth.ndim)), dtype=np.float64)
        return total

    def __call__(self, data: NDArray, members: NDArray | None = None) -> NDArray[np.float32]:
        """Guess x̂ ``(n, C, *shape)`` from noisy data ``(n, D)``.

        ``members`` says whose data these are: a member never takes part in its own guess. Without it all members do.
        """
        whitened = np.asarray(data) / self._deviation
        which = np.full(len(whitened), -1) if members is None else self._fold_of[np.asarray(members)]
        tiled = np.empty((len(self._tiled), len(whitened), *self._tiled.shape[2:]), np.float32)
        for radius, fits in self._fits.items():
            products = self._products(whitened, radius)
            for c, (own, ridge) in enumerate(self.chosen):
                for k in np.unique(which) if own == radius else ():
                    rows = which == k
                    tiled[:, rows, c] = fits[k].guess(self._tiled[:, :, c : c + 1], products[rows], ridge)[:, :, 0]
        return self.tiles.joined(tiled)


@dataclass(frozen=True, eq=False)
class LocalizedRegressionAnalysis(Analysis):
    """The localised regression as an analysis: every member keeps its own residual.

    Known failure: a linear map of the latents with the spread of the residuals, which does not depend on the datum: two
    modes stay joined, and where the data are unusually good or poor the spread does not know. Noise counts as independent
    between data, as in the LETKF.

    Parameters
    ----------
    axes
        Coordinates of the state's cells along each axis [m].
    data
        Data field → what it is, with its positions.
    transform
        Which fields are inferred, and how they are carried; other fields pass unchanged.
    folds
        Parts of the members for cross-fitting.
    radii, ridges
        Radii [cells] and γ to choose from.

    Raises
    ------
    InputError
        From ``update``, with fewer than 8 members, or when the data are not those described.
    """

    axes: tuple[NDArray[np.float64], ...]
    data: Mapping[str, DataField]
    transform: StateTransform = field(default_factory=StateTransform)
    folds: int = 8
    radii: tuple[float, ...] = RADII
    ridges: tuple[float, ...] = RIDGES
    name: str = "localized_regression"

    def __post_init__(self) -> None:
        if self.folds < 2:
            raise InputError("folds", self.folds, "give at least 2")

    def update(
        self,
        forecast: Ensemble,
        evidence: Evidence,
        generator: np.random.Generator,
        progress: Progress | None = None,
    ) -> Posterior:
        if forecast.size < LEAST_MEMBERS:
            raise InputError("forecast", f"{forecast.size} members", f"give at least {LEAST_MEMBERS} to leave some out")
        names = evidence.predicted.names
        missing = [name for name in names if name not in self.data]
        if missing:
            raise InputError("data", tuple(self.data), f"say what {missing} are, too")
        fitted = self.transform.fit(forecast)
        state, predicted = fitted.forward(forecast), evidence.predicted.pack()
        tiles = Tiles(self.axes, {name: self.data[name] for name in names})
        physical = _physical(fitted, forecast)
        regression = LocalizedRegression(
            state, predicted, evidence.noise, tiles, physical, self.folds, generator, self.radii, self.ridges
        )
        noisy = predicted + evidence.noise.sample(forecast.size, generator)
        residual = state - regression(noisy, np.arange(forecast.size))
        guess = regression(evidence.observed.pack(names))
        statistics = {
            "radius_cells": [radius for radius, _ in regression.chosen],
            "ridge": [ridge for _, ridge in regression.chosen],
        }
        return Posterior(fitted.inverse(guess + residual, forecast), statistics)


def _physical(fitted: FittedTransform, like: Ensemble) -> Callable[[NDArray], NDArray]:
    """Latents ↦ physical values, each field in units of its forecast's deviation."""
    names = list(fitted.transform.maps)
    units = [max(float(np.sqrt(like[name].var(axis=0).mean())), 1e-300) for name in names]

    def values(latent: NDArray) -> NDArray:
        found = fitted.inverse(latent, like.members(slice(len(latent))))
        return np.stack([found[name] / unit for name, unit in zip(names, units, strict=True)], axis=1)

    return values


class LocalizedRegressionTable(MethodTable):
    """Localised regression on the level set: a first guess with the residuals of members left out, and no network."""

    name: ClassVar[str] = "localized_regression"
    label: ClassVar[str] = "localised regression"
    colour: ClassVar[str] = "tab:gray"
    least_members: ClassVar[int] = LEAST_MEMBERS

    folds: Annotated[int, Field(ge=2)] = 8
    """Parts of the members for cross-fitting."""

    def build(self, site: Site) -> LocalizedRegressionAnalysis:
        return LocalizedRegressionAnalysis(site.cell_axes, site.data, site.transform, self.folds, name=self.name)
