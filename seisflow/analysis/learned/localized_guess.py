r"""First guess of the state from the data: an ensemble regression in every tile of the grid, on the data around it.

Cells are taken in tiles; in tile t every datum j counts by its taper ρ_tj (1 here, 0 far away, a product over the axes).
With members x_m, their data without noise h_m and W the whitening of the noise (:class:`seisflow.covariance.Covariance`),

    G_t = Σ_j ρ_tj (W h)_j (W h)_jᵀ ,   g_t(y) = Σ_j ρ_tj (W h)_j (W y)_j ,   B_t = (G_tᶜ + λ I)⁻¹ ,   λ = γ (M − 1) ,
    x̂(y) = x̄ + Σ_m w_tm(y) (x_m − x̄) ,    w_t(y) = 1/M + B_t g_tᶜ(y)        in the cells of tile t,

ᶜ meaning centred over the members: the Kalman gain of the ensemble with the data around the tile, γ = 1 the textbook one
(the mean of a local ensemble transform Kalman filter; Hunt, Kostelich & Szunyogh 2007, Physica D 230, 112–126). All of it
on transformed states (:mod:`seisflow.analysis.transform`). A datum without a place counts in every tile.

The guess for a member comes from all the others. It needs no regression of its own: leaving one out changes an inverse by a
matrix of rank one, and with C_t = B_t − 1 1ᵀ/(λ M) the guess without member i is exactly

    x̂_{−i}(y) = x̂(y) − (w_ti(y) / C_tii) (C_t X)_i

(the leave-one-out identity of ridge regression, for any y; Golub, Heath & Wahba 1979, Technometrics 21, 215–223). So its
residual x_i − x̂_{−i}(y_i) has the size of an error on new data.

For every field of the state γ and a radius for each kind of data, which may be left out, are chosen by that error: of the
physical fields, with fresh noise, in some of the tiles. A common radius comes first, then one kind of data after the other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seisflow.analysis.learned.tiles import Tiles
from seisflow.covariance import Covariance

__all__ = ["RADII", "RIDGES", "Choice", "LocalizedGuess"]

RADII = (1.5, 2.5, 4.0, 8.0, 16.0)
"""Radii that are tried, in cells."""
RIDGES = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0)
"""γ that are tried."""
SEARCHED = 256
"""Tiles in which choices are judged, and members by which, at most."""
ROWS = 64
"""Data that are guessed from at a time."""
BLOCK = 128
"""Tiles that are worked on at a time."""

Physical = Callable[[NDArray], NDArray]
"""Latents ``(n, C, *shape)`` ↦ physical values of the same shape."""


@dataclass(frozen=True)
class Choice:
    """What was chosen for one field of the state.

    Parameters
    ----------
    radii
        Radius of every data field [cells], in their order; 0: it is left out.
    ridge
        γ.
    error
        Mean squared error of members left out, in the units of the physical values.
    """

    radii: tuple[float, ...]
    ridge: float
    error: float


@dataclass(frozen=True, eq=False)
class _Solved:
    """Regressions of all members in some tiles, ready for every λ.

    Eigenvalues and eigenvectors V of Gᶜ; what of the states V does not reach; 1 − 1/M less the squares of V, by member.
    """

    row_mean: NDArray[np.float32]
    values: NDArray[np.float32]
    vectors: NDArray[np.float32]
    mean: NDArray[np.float32]
    rotated: NDArray[np.float32]
    rest: NDArray[np.float32] | None
    outside: NDArray[np.float32]

    @classmethod
    def of(cls, gram: NDArray, states: NDArray) -> _Solved:
        """From G ``(tiles, M, M)`` and states ``(tiles, M, numbers)``."""
        row_mean = gram.mean(axis=2)
        centred = gram - row_mean[:, :, None]
        centred -= centred.mean(axis=1, keepdims=True)
        values, vectors = np.empty_like(row_mean), np.empty_like(gram, order="C")
        for some in _blocks(len(gram)):
            symmetric = (centred[some] + centred[some].transpose(0, 2, 1)) / 2
            values[some], vectors[some] = np.linalg.eigh(symmetric)
        return cls._with(row_mean, np.maximum(values, 0), vectors, states, complete=True)

    @classmethod
    def of_factors(cls, factors: NDArray, states: NDArray) -> _Solved:
        """From F ``(tiles, M, d)`` with G = F Fᵀ, for fewer data than members."""
        mean = factors.mean(axis=1, keepdims=True)
        vectors, s, _ = np.linalg.svd(factors - mean, full_matrices=False)
        row_mean = (factors @ mean.transpose(0, 2, 1))[:, :, 0]
        return cls._with(row_mean, s**2, vectors * (s > 0)[:, None, :], states, complete=False)

    @classmethod
    def _with(cls, row_mean: NDArray, values: NDArray, vectors: NDArray, states: NDArray, complete: bool) -> _Solved:
        mean, M = states.mean(axis=1, keepdims=True), states.shape[1]
        rotated = vectors.transpose(0, 2, 1) @ (states - mean)
        rest = None if complete else states - mean - vectors @ rotated
        outside = 1 - 1 / M - np.einsum("tme,tme->tm", vectors, vectors)
        return cls(row_mean, values, vectors, mean, rotated, rest, outside.astype(np.float32))

    def guess(self, products: NDArray, ridge: float, members: NDArray | None = None) -> NDArray[np.float32]:
        """x̂ ``(tiles, n, numbers)`` from g ``(n, M, tiles)``; ``members`` are those to leave out, one a row."""
        blocks = _blocks(len(self.values))
        return np.concatenate([self._at(some)._guess(products[:, :, some], ridge, members) for some in blocks])

    def _at(self, some: slice) -> _Solved:
        """Those of some tiles."""
        return _Solved(
            self.row_mean[some],
            self.values[some],
            self.vectors[some],
            self.mean[some],
            self.rotated[some],
            None if self.rest is None else self.rest[some],
            self.outside[some],
        )

    def _guess(self, products: NDArray, ridge: float, members: NDArray | None) -> NDArray[np.float32]:
        M = self.row_mean.shape[1]
        shrunk = 1 / (self.values + np.float32(ridge * (M - 1)))
        g = products.transpose(2, 1, 0) - self.row_mean[:, :, None]
        g -= g.mean(axis=1, keepdims=True)
        z = (self.vectors.transpose(0, 2, 1) @ g) * shrunk[:, :, None]
        found = z.transpose(0, 2, 1) @ self.rotated
        if members is not None:
            inverse = np.float32(1 / (ridge * (M - 1)))
            diagonal = ((self.vectors**2) @ shrunk[:, :, None])[:, :, 0] + self.outside * inverse
            own = (self.vectors[:, members] * z.transpose(0, 2, 1)).sum(axis=2) + 1 / M
            states = self.vectors @ (self.rotated * shrunk[:, :, None])
            if self.rest is not None:
                states += self.rest * inverse
            found -= (own / diagonal[:, members])[:, :, None] * states[:, members]
        return np.asarray(found + self.mean)


def _blocks(tiles: int) -> list[slice]:
    """A few tiles at a time: matrices of all of them are large."""
    return [slice(start, start + BLOCK) for start in range(0, tiles, BLOCK)]


class LocalizedGuess:
    """The regression of this module's head.

    Parameters
    ----------
    state
        Latent states ``(M, C, *shape)``.
    predicted
        Noise-free data ``(M, D)``, packed in the order of the tiles' data.
    noise
        R.
    tiles
        Tiles of the state's grid.
    physical
        Latents ``(n, C, *shape)`` ↦ physical values of the same shape, in which errors are judged.
    generator
        For the noise with which choices are judged.
    radii, ridges
        Radii [cells] and γ to choose from.

    Attributes
    ----------
    chosen
        What was chosen for every field of the state.
    """

    def __init__(
        self,
        state: NDArray,
        predicted: NDArray,
        noise: Covariance,
        tiles: Tiles,
        physical: Physical,
        generator: np.random.Generator,
        radii: Sequence[float] = RADII,
        ridges: Sequence[float] = RIDGES,
    ) -> None:
        self._noise, self._data = noise, _Data(tiles, noise.whiten(predicted), np.arange(int(np.prod(tiles.shape))))
        state = np.asarray(state, np.float32)
        judges = slice(0, SEARCHED)
        noisy = predicted[judges] + noise.sample(len(predicted[judges]), generator)
        data = _Data(tiles, self._data.white[judges], tiles.some(SEARCHED))
        search = _Search(data, tiles.cut(state[judges]), noise.whiten(noisy), physical, tuple(ridges))
        self.chosen = [search.best(field, tuple(radii)) for field in range(state.shape[1])]
        tiled = tiles.cut(state)
        self._solved = [self._data.solved(choice.radii, tiled[:, :, field]) for field, choice in enumerate(self.chosen)]

    def described(self, fields: Sequence[str]) -> dict[str, object]:
        """What was chosen, for these names of the state's fields: JSON-ready."""
        kinds = tuple(self._data.tiles.data)
        return {
            f"first_guess {field}": {
                "radius_cells": dict(zip(kinds, choice.radii, strict=True)),
                "ridge": choice.ridge,
                "error": choice.error,
            }
            for field, choice in zip(fields, self.chosen, strict=True)
        }

    def __call__(self, data: NDArray, members: NDArray | None = None) -> NDArray[np.float32]:
        """Guess x̂ ``(n, C, *shape)`` from noisy data ``(n, D)``.

        ``members`` says whose data these are: a member takes no part in its own guess. Without it all members do.
        """
        white, tiles = self._noise.whiten(data), self._data.tiles
        parts = []
        for start in range(0, len(white), ROWS):
            rows = slice(start, start + ROWS)
            whose = None if members is None else np.asarray(members)[rows]
            products = {radii: self._data.products(white[rows], radii) for radii in {c.radii for c in self.chosen}}
            fields = [
                solved.guess(products[choice.radii], choice.ridge, whose)
                for solved, choice in zip(self._solved, self.chosen, strict=True)
            ]
            parts.append(tiles.joined(np.stack(fields, axis=2)))
        return np.concatenate(parts)


class _Data:
    """Whitened predicted data ``(M, D)`` and their tapered sums in tiles of these numbers."""

    def __init__(self, tiles: Tiles, white: NDArray, which: NDArray) -> None:
        self.tiles, self.white, self.which = tiles, white.astype(np.float32), which
        self._fields = list(tiles.data.values())
        ends = np.cumsum([int(np.prod(about.shape)) for about in self._fields])
        self._columns = [slice(int(a), int(b)) for a, b in zip([0, *ends[:-1]], ends, strict=True)]

    def part(self, rows: NDArray, field: int, radius: float) -> NDArray[np.float32]:
        """One data field's share of g, for whitened data ``(n, D)``: ``(n, M, tiles)``."""
        around, shape = self.tiles.near(radius)[field], self._fields[field].shape
        own, rows = self.white[:, self._columns[field]], np.asarray(rows[:, self._columns[field]], np.float32)
        return np.stack([around((own * row).reshape(-1, *shape))[:, self.which] for row in rows])

    def products(self, rows: NDArray, radii: tuple[float, ...]) -> NDArray[np.float32]:
        """g of whitened data ``(n, D)``: ``(n, M, tiles)``."""
        return _sum(self.part(rows, field, radius) for field, radius in enumerate(radii) if radius > 0)

    def solved(self, radii: tuple[float, ...], states: NDArray, grams: _Parts | None = None) -> _Solved:
        """The regressions of states ``(tiles, M, numbers)`` on these data; ``grams`` remembers every field's share of G."""
        used = [(field, radius) for field, radius in enumerate(radii) if radius > 0]
        if sum(self._columns[field].stop - self._columns[field].start for field, _ in used) < len(self.white):
            return _Solved.of_factors(np.concatenate([self._factors(*one) for one in used], axis=2), states)
        grams = {} if grams is None else grams
        for one in used:
            if one not in grams:
                grams[one] = self.part(self.white, *one)
        return _Solved.of(_sum(grams[one] for one in used).transpose(2, 0, 1), states)

    def _factors(self, field: int, radius: float) -> NDArray[np.float32]:
        """W h times the roots of the tapers, ``(tiles, M, d)``."""
        own = self.white[:, self._columns[field]]
        each = np.eye(own.shape[1], dtype=np.float32).reshape(-1, *self._fields[field].shape)
        tapers = self.tiles.near(radius)[field](each)[:, self.which]
        return np.asarray(own[None] * np.sqrt(tapers.T[:, None, :]), np.float32)


_Parts = dict[tuple[int, float], NDArray[np.float32]]


def _sum(parts: Iterable[NDArray]) -> NDArray[np.float32]:
    first, *others = parts
    return np.asarray(sum(others, start=first))


class _Search:
    """The errors of choices in some of the tiles, each computed once."""

    def __init__(
        self, data: _Data, tiled: NDArray, noisy: NDArray, physical: Physical, ridges: tuple[float, ...]
    ) -> None:
        self._data, self._tiled, self._noisy, self._ridges = data, tiled, noisy, ridges
        self._physical, self._tiles = physical, data.tiles
        self._which = data.which
        self._states = tiled[self._which].reshape(len(self._which), tiled.shape[1], -1)
        inside = np.zeros((len(tiled), 1, 1, tiled.shape[3]), bool)
        inside[self._which] = True
        self._inside = data.tiles.joined(inside)[0, 0]
        self._truth = physical(data.tiles.joined(tiled))[..., self._inside]
        self._grams: _Parts = {}
        self._products: _Parts = {}
        self._errors: dict[tuple[float, ...], dict[float, NDArray]] = {}

    def best(self, field: int, radii: tuple[float, ...]) -> Choice:
        """The choice for one field of the state."""
        kinds = list(self._tiles.data.values())
        choice = min((self._choice((radius,) * len(kinds), field) for radius in radii), key=lambda c: c.error)
        for kind, about in enumerate(kinds if len(kinds) > 1 else ()):
            tried = radii if about.positions is not None else radii[-1:]  # without a place the radius says nothing
            others = [(*choice.radii[:kind], radius, *choice.radii[kind + 1 :]) for radius in (0.0, *tried)]
            found = [self._choice(one, field, near=choice.ridge) for one in others if any(one)]
            choice = min([choice, *found], key=lambda c: c.error)
        return choice

    def _choice(self, radii: tuple[float, ...], field: int, near: float | None = None) -> Choice:
        """The best γ for these radii: of all, or of that nearby and its neighbours."""
        ridges = self._ridges
        if near is not None:
            at = ridges.index(near)
            ridges = ridges[max(at - 1, 0) : at + 2]
        known = self._errors.setdefault(radii, {})
        missing = [ridge for ridge in ridges if ridge not in known]
        if missing:
            known |= self._tried(radii, missing)
        ridge = min(ridges, key=lambda one: known[one][field])
        return Choice(radii, ridge, float(known[ridge][field]))

    def _tried(self, radii: tuple[float, ...], ridges: Sequence[float]) -> dict[float, NDArray[np.float64]]:
        """γ ↦ mean squared error of every field, of members left out."""
        used = [(kind, radius) for kind, radius in enumerate(radii) if radius > 0]
        for one in used:
            if one not in self._products:
                self._products[one] = self._data.part(self._noisy, *one)
        products = _sum(self._products[one] for one in used)
        solved = self._data.solved(radii, self._states, self._grams)
        members = np.arange(self._tiled.shape[1])
        found = {}
        whole = np.zeros_like(self._tiled)
        for ridge in ridges:
            whole[self._which] = solved.guess(products, ridge, members).reshape(-1, *self._tiled.shape[1:])
            guess = self._physical(self._tiles.joined(whole))[..., self._inside]
            found[ridge] = ((guess - self._truth) ** 2).mean(axis=(0, 2), dtype=np.float64)
        return found
