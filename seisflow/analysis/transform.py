r"""State transforms: physical fields ↔ the standardised variables a network can model.

Saturation S ∈ [0, 1 − S_wr] has a point mass at S = 0 with a sharp front around it. It is carried by a latent u that
goes on falling where S stays zero (a level set):

    u = S                                        where S ≥ ε      (wet)
    u = −β d_max (1 − exp(−d / d_max))           where S < ε      (dry, d = distance to the plume in cells)

    S = clip(u, 0, 1 − S_wr), and 0 where that is < ε .

A Gaussian in u moves the front instead of fading the plume; dry cells far from the plume need a large change of u to
become wet, those beside it a small one. Back from u, the bounds hold for every real u, and cells with u < ε are exactly
dry. Limits: the map S → u → S is the identity (up to ε), but u → S → u is not: many u mean "dry". The density lives on u,
that on S is the censored one of a Tobit model (Tobin 1958, Econometrica 26), with a mass at zero.

Pressure enters relative to a reference field (hydrostatic, initial) if one is given. Every latent is then standardised
cell by cell with the ensemble's mean and deviation, deviations below a fraction of the field's typical one being
raised to it, and padded to a size the network accepts. Padded cells repeat the edge and are cut off again.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt
from scipy.special import ndtri

from seisflow.ensemble import Ensemble
from seisflow.errors import InputError

__all__ = ["FieldMap", "FittedTransform", "LevelSetSaturation", "NormalScore", "Relative", "StateTransform"]


class FieldMap(ABC):
    """Carries one physical field to an unbounded latent and back."""

    def fit(self, values: NDArray) -> FieldMap:
        """The map for an ensemble with these values ``(M, *shape)``; most maps are the same for all."""
        return self

    @property
    def limits(self) -> tuple[float, float]:
        """Latents beyond which the physical value does not change."""
        return -np.inf, np.inf

    @abstractmethod
    def forward(self, values: NDArray) -> NDArray[np.float64]:
        """Latent u ``(M, *shape)`` of physical values ``(M, *shape)``."""

    @abstractmethod
    def inverse(self, latent: NDArray) -> NDArray[np.float64]:
        """Physical values of a latent; within the physical bounds for any real input."""


@dataclass(frozen=True)
class LevelSetSaturation(FieldMap):
    """The level-set latent of CO2 saturation.

    Parameters
    ----------
    residual_brine
        S_wr, so that S ≤ 1 − S_wr.
    slope
        β, fall of u per cell beside the plume.
    reach
        d_max [cells], over which the fall levels off.
    threshold
        ε, saturations below it are dry.
    """

    residual_brine: float = 0.1
    slope: float = 0.1
    reach: float = 12.0
    threshold: float = 1e-3

    def __post_init__(self) -> None:
        if not 0 <= self.residual_brine < 1:
            raise InputError("residual_brine", self.residual_brine, "give a saturation in [0, 1)")
        for name in ("slope", "reach", "threshold"):
            if not (np.isfinite(getattr(self, name)) and getattr(self, name) > 0):
                raise InputError(name, getattr(self, name), "give a positive number")

    @property
    def limits(self) -> tuple[float, float]:
        return 0.0, 1.0 - self.residual_brine

    def forward(self, values: NDArray) -> NDArray[np.float64]:
        latent = np.array(values, np.float64)
        for member in latent:
            dry = member < self.threshold
            # Without any plume the distance has no meaning: infinitely far.
            distance = distance_transform_edt(dry) if not dry.all() else np.full(member.shape, np.inf)
            member[dry] = -self.slope * self.reach * -np.expm1(-distance[dry] / self.reach)
        return latent

    def inverse(self, latent: NDArray) -> NDArray[np.float64]:
        values = np.clip(np.asarray(latent, np.float64), 0.0, 1.0 - self.residual_brine)
        values[values < self.threshold] = 0.0
        return values


@dataclass(frozen=True, eq=False)
class Relative(FieldMap):
    """A field relative to a reference, u = p − p_ref; the identity for the reference 0.

    Parameters
    ----------
    reference
        Number or field ``(*shape)``, in the field's unit (pressure: hydrostatic or initial [Pa]).
    """

    reference: NDArray[np.float64] | float = 0.0

    def forward(self, values: NDArray) -> NDArray[np.float64]:
        return np.asarray(values, np.float64) - self.reference

    def inverse(self, latent: NDArray) -> NDArray[np.float64]:
        return np.asarray(latent, np.float64) + self.reference


@dataclass(frozen=True, eq=False)
class NormalScore(FieldMap):
    """The normal score of every cell: another map's latent, made Gaussian cell by cell by the ensemble's own values.

    The sorted values of a cell go to the quantiles of N(0, 1) at (i − ½)/M, and what lies between to what lies between;
    beyond the outermost members it goes on with the slope between the deciles, so that an update can leave the ensemble's
    range. Values closer than a part of the cell's range are told apart by that part. Bertino, Evensen & Wackernagel 2003
    (Int. Stat. Rev. 71, 223–241); Zhou, Gómez-Hernández, Hendricks Franssen & Li 2011 (Adv. Water Resour. 34, 844–864).

    Parameters
    ----------
    inner
        The map whose latent is scored.
    knots
        Sorted latents ``(M, *shape)`` of an ensemble; None before :meth:`fit`.
    """

    inner: FieldMap
    knots: NDArray[np.float64] | None = None

    def fit(self, values: NDArray) -> NormalScore:
        inner = self.inner.fit(values)
        knots = np.sort(inner.forward(values), axis=0)
        scale = np.ptp(knots, axis=0, keepdims=True)
        steps = 1e-10 * np.where(scale > 0, scale, 1.0) * np.arange(len(knots)).reshape(-1, *[1] * (knots.ndim - 1))
        return NormalScore(inner, knots + steps)

    def forward(self, values: NDArray) -> NDArray[np.float64]:
        return self._interpolated(self.inner.forward(values), back=False)

    def inverse(self, latent: NDArray) -> NDArray[np.float64]:
        return self.inner.inverse(self._interpolated(np.asarray(latent, np.float64), back=True))

    def _interpolated(self, values: NDArray, back: bool) -> NDArray[np.float64]:
        if self.knots is None:
            raise InputError("knots", None, "fit the map to an ensemble first")
        M, shape = len(self.knots), values.shape[1:]
        scores = ndtri((np.arange(M) + 0.5) / M)
        low, high = int(0.1 * (M - 1)), int(np.ceil(0.9 * (M - 1)))
        slope = (self.knots[high] - self.knots[low]) / (scores[high] - scores[low])
        slope = np.maximum(slope, 1e-9).reshape(-1)
        result = np.empty((len(values), slope.size))
        for cell, (knots, own) in enumerate(
            zip(self.knots.reshape(M, -1).T, values.reshape(len(values), -1).T, strict=True)
        ):
            x, y, rise = (scores, knots, slope[cell]) if back else (knots, scores, 1 / slope[cell])
            found = np.interp(own, x, y)
            found += rise * (np.minimum(own - x[0], 0) + np.maximum(own - x[-1], 0))
            result[:, cell] = found
        return result.reshape(len(values), *shape)


@dataclass(frozen=True)
class StateTransform:
    """Which fields are inferred, and by which maps.

    Parameters
    ----------
    maps
        Field name → :class:`FieldMap`, in the order of the network's channels.
    floor
        Smallest deviation of a cell, as a fraction of its field's root-mean-square deviation.
    """

    maps: Mapping[str, FieldMap] = field(
        default_factory=lambda: {"saturation": LevelSetSaturation(), "pressure": Relative()}
    )
    floor: float = 0.05

    def __post_init__(self) -> None:
        if not self.maps:
            raise InputError("maps", self.maps, "name at least one field to infer")
        if not 0 < self.floor <= 1:
            raise InputError("floor", self.floor, "give a fraction in (0, 1]")

    def fit(self, ensemble: Ensemble, multiple: int = 1) -> FittedTransform:
        """Fix units (mean and deviation of every cell) by an ensemble; fields are padded to ``multiple``."""
        missing = [name for name in self.maps if name not in ensemble]
        if missing:
            raise InputError("ensemble", ensemble.names, f"it lacks {missing}; give those fields or change the maps")
        shapes = {ensemble[name].shape[1:] for name in self.maps}
        if len(shapes) != 1:
            raise InputError("ensemble", shapes, "fields that are inferred together must share one grid")
        latent = np.stack([m.forward(ensemble[name]) for name, m in self.maps.items()], axis=1)
        if not np.isfinite(latent).all():
            raise InputError("ensemble", "not finite", "remove the members with not-a-number or infinite values")
        mean, deviation = latent.mean(axis=0), latent.std(axis=0, ddof=1)
        typical = np.sqrt((deviation**2).mean(axis=tuple(range(1, deviation.ndim)), keepdims=True))
        deviation = np.maximum(deviation, np.where(typical > 0, self.floor * typical, 1.0))
        shape = mean.shape[1:]
        pad = tuple((0, -n % multiple) for n in shape)
        return FittedTransform(self, mean, deviation, pad)


@dataclass(frozen=True, eq=False)
class FittedTransform:
    """A :class:`StateTransform` in the units of one ensemble.

    Attributes
    ----------
    mean, deviation
        Of the latents, ``(C, *shape)``.
    padding
        Cells added at the (low, high) end of every field axis.
    """

    transform: StateTransform
    mean: NDArray[np.float64]
    deviation: NDArray[np.float64]
    padding: tuple[tuple[int, int], ...]

    def pad(self, fields: NDArray) -> NDArray:
        """Add the padding to the trailing axes, repeating the edge."""
        return np.pad(fields, ((0, 0),) * (fields.ndim - len(self.padding)) + self.padding, mode="edge")

    def forward(self, ensemble: Ensemble) -> NDArray[np.float32]:
        """Standardised latents ``(M, C, *padded shape)``, float32."""
        latent = np.stack([m.forward(ensemble[name]) for name, m in self.transform.maps.items()], axis=1)
        return self.pad(((latent - self.mean) / self.deviation).astype(np.float32))

    def inside(self, fields: NDArray) -> NDArray:
        """Cut the padding off the trailing axes; fields without any stay as they are."""
        space = self.mean.shape[1:]
        inside = (*(slice(None) for _ in fields.shape[: -len(space)]), *(slice(0, n) for n in space))
        return np.asarray(fields[inside])

    def units(self, like: Ensemble) -> NDArray[np.float64]:
        """Deviation of every inferred field in an ensemble, the root mean square over cells, ``(C,)``."""
        return np.array([max(float(np.sqrt(like[name].var(axis=0).mean())), 1e-300) for name in self.transform.maps])

    def physical(self, like: Ensemble) -> Callable[[NDArray], NDArray]:
        """Standardised latents ``(n, C, …)`` ↦ physical fields of one shape, each in units of its deviation in ``like``."""
        units = self.units(like)

        def values(standardised: NDArray) -> NDArray:
            found = self.inverse(standardised, like.members(slice(len(standardised))))
            return np.stack([found[name] / unit for name, unit in zip(self.transform.maps, units, strict=True)], axis=1)

        return values

    def inverse(self, standardised: NDArray, like: Ensemble) -> Ensemble:
        """The ensemble ``like`` with its inferred fields taken from ``(M, C, *padded shape)``."""
        latent = self.inside(np.asarray(standardised, np.float64)) * self.deviation + self.mean
        fields = {
            name: m.inverse(latent[:, c]).astype(like[name].dtype)
            for c, (name, m) in enumerate(self.transform.maps.items())
        }
        return Ensemble({**like.fields, **fields}, like.time)
