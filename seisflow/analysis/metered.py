r"""Any analysis with the mass of every member made that of the injection meter, within the meter's error.

    û_i = u(x̂_i)                                  level-set latent of the saturation behind the update
    m_i = m° (1 + σ ε_i) ,  ε_i ~ N(0, 1)          what the meter allows, m° its reading
    u_i = û_i + c_i σ_u² C_i ,   c_i so that       Σ_c C_i(c) S(u_i(c)) = m_i

with C_i the CO2 that a cell holds at saturation 1 [kg] and σ_u² the variance of the latent over the analysed members.
Without bounds this is the conditional draw of a Gaussian u with independent cells,  û + K (m_i − w·û),  K = Σw / (wᵀΣw): the
smallest correction in the metric of the ensemble's variance. So a cell is moved as far as the members disagree about it:
fronts, not the plume's inside, and no cell in which all agree.

Cells become wet only beside the member's own plume or where a member of the forecast is wet. The mass never falls with c,
which is found by bisection. Between the ends of the last interval the saturation is interpolated, because a cell jumps
by the threshold of the map when it becomes wet. Conditional draws so: Journel & Huijbregts 1978, Mining Geostatistics;
mass in ensemble filters: Janjić, McLaughlin, Cohn & Verlaan 2014 (Mon. Wea. Rev. 142, 755–773).
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation

from seisflow.analysis.base import Analysis, Evidence, Posterior, Progress, Simulations
from seisflow.analysis.transform import FieldMap, LevelSetSaturation
from seisflow.ensemble import Ensemble
from seisflow.errors import InputError

__all__ = ["MeteredMass"]

LARGEST = 100.0
"""Largest shift of the latent that is tried, in the cell that is moved most."""
TOLERANCE = 1e-6
"""Relative error of a mass that counts as met."""
AGREED = 1e-8
"""Deviation of a cell, relative to the largest latent, that is rounding."""
NOTHING = 1.0
"""Error of a mass [kg] that counts as none."""


@dataclass(frozen=True, eq=False)
class MeteredMass(Analysis):
    """Runs another analysis, and corrects the saturation of every member to the metered mass.

    Known failure: CO2 that has left the grid is not in place. Once a forecast is wet at an outlet, members that are wet
    there are held to the metered mass from above alone. The correction knows the variance of every cell, not how cells vary
    together: where a posterior lacks a whole lens, it widens the fronts that are there.

    Parameters
    ----------
    analysis
        The analysis.
    datum
        Data field that is the logarithm of the mass injected so far [kg].
    std
        σ, relative error of the meter.
    capacity
        Pressures ``(M, *shape)`` [Pa] ↦ CO2 that every cell holds at saturation 1 [kg], the same shape.
    saturation
        Its latent u, and back, value by value.
    outlets
        Cells ``(*shape)`` through which CO2 leaves the grid; None: it cannot.
    name
        Name of its stages. Empty: that of ``analysis``.

    Raises
    ------
    InputError
        When the error is out of its range; from ``update``, when the datum is missing.
    """

    analysis: Analysis
    datum: str
    std: float
    capacity: Callable[[NDArray], NDArray]
    saturation: FieldMap = field(default_factory=LevelSetSaturation)
    outlets: NDArray[np.bool_] | None = None
    name: str = ""

    def __post_init__(self) -> None:
        if not 0 <= self.std < 1:
            raise InputError("std", self.std, "give a relative error in [0, 1)")
        object.__setattr__(self, "name", self.name or self.analysis.name)

    def resumable(self, folder: Path) -> Analysis:
        return replace(self, analysis=self.analysis.resumable(folder))

    def simulations(self, members: int) -> Simulations:
        return self.analysis.simulations(members)

    def memory(self, members: int, state: int, data: int) -> int:
        return max(self.analysis.memory(members, state, data), 4 * 8 * members * state)

    def update(
        self,
        forecast: Ensemble,
        evidence: Evidence,
        generator: np.random.Generator,
        progress: Progress | None = None,
    ) -> Posterior:
        if self.datum not in evidence.observed:
            raise InputError("evidence.observed", evidence.observed.names, f"it lacks the metered mass, {self.datum}")
        (own,) = generator.spawn(1)  # before the update, which may draw more or less behind an interruption
        posterior = self.analysis.update(forecast, evidence, generator, progress)
        metered = float(np.exp(evidence.observed[self.datum]).item())
        wanted = metered * np.maximum(1 + self.std * own.standard_normal(forecast.size), 0.0)
        states, ahead = posterior.ensemble, np.asarray(forecast["saturation"], np.float64)
        S, capacity = np.asarray(states["saturation"], np.float64), self.capacity(states["pressure"])
        before = _masses(capacity, S)
        leaky = self._leaky(S) & self._leaky(ahead).any()
        wanted = np.where(leaky, np.minimum(wanted, before), wanted)
        corrected = self._corrected(S, capacity, wanted, np.asarray(self._wet(ahead).any(axis=0)))
        after = _masses(capacity, corrected)
        short = np.exp(evidence.predicted[self.datum]) < (1 - 3 * self.std) * metered
        statistics = {
            "metered_mass": metered,
            "mass_before": before.tolist(),
            "mass_after": after.tolist(),
            "members_mass_unmet": self._unmet(after, wanted, metered),
            "members_at_outlet": int(leaky.sum()),
            "members_short_of_mass": int(short.sum()),
        }
        analysed = states.replace(saturation=corrected.astype(states["saturation"].dtype))
        return replace(posterior, ensemble=analysed, statistics={**posterior.statistics, **statistics}, mean=None)

    def _unmet(self, masses: NDArray, wanted: NDArray, metered: float) -> int:
        """How many masses are not those wanted, which is also told."""
        unmet = int((np.abs(masses - wanted) > TOLERANCE * metered + NOTHING).sum())
        if unmet:
            said = "%s: the metered mass, %.4g kg, cannot be met by %d of %d members, which agree in too many cells"
            logging.getLogger("seisflow").warning(said, self.name, metered, unmet, len(masses))
        return unmet

    def _wet(self, S: NDArray) -> NDArray[np.bool_]:
        """Cells that the map does not take for dry."""
        return np.asarray(self.saturation.inverse(np.asarray(S, np.float64)) != 0)

    def _leaky(self, S: NDArray) -> NDArray[np.bool_]:
        """Members that are wet at an outlet, or in a cell beside one."""
        if self.outlets is None:
            return np.zeros(len(S), bool)
        return np.asarray(np.any(self._wet(S)[:, binary_dilation(self.outlets)], axis=1))

    def _corrected(self, S: NDArray, capacity: NDArray, wanted: NDArray, possible: NDArray) -> NDArray[np.float64]:
        """Saturations whose masses are those wanted, as far as they can be."""
        latent = self.saturation.forward(S)
        variance = latent.var(axis=0, ddof=1)
        variance[variance < (AGREED * np.abs(latent).max()) ** 2] = 0.0
        result = S.copy()
        for i, wet in enumerate(self._wet(S)):
            rates = variance * capacity[i] * (wet | binary_dilation(wet) | possible)
            moving = rates > 0
            if moving.any():
                rest = wanted[i] - float((capacity[i] * S[i])[~moving].sum())
                u, own, rate, of = (array[moving] for array in (latent[i], S[i], rates / rates.max(), capacity[i]))
                result[i][moving] = self._shifted(u, own, rate, of, rest)
        return result

    def _shifted(
        self, latent: NDArray, S: NDArray, rates: NDArray, capacity: NDArray, wanted: float
    ) -> NDArray[np.float64]:
        """Saturations of the cells that move, shifted until they hold the mass wanted."""
        unmoved = self.saturation.inverse(latent)

        def shifted(c: float) -> NDArray[np.float64]:
            moved = self.saturation.inverse(latent + c * rates)
            return np.where(moved == unmoved, S, moved)  # what the map rounds to dry stays as it is

        def excess(values: NDArray) -> float:
            return float(capacity @ values) - wanted

        near, sign = 0.0, -np.sign(excess(S))
        if sign == 0:
            return S
        far = sign * 1e-6
        while sign * excess(shifted(far)) < 0:
            near, far = far, 2 * far
            if abs(far) > LARGEST:
                return shifted(near)
        while abs(far - near) > 1e-12 * abs(far):
            middle = 0.5 * (near + far)
            near, far = (middle, far) if sign * excess(shifted(middle)) < 0 else (near, middle)
        ends = shifted(near), shifted(far)
        low, high = map(excess, ends)
        return ends[0] + (ends[1] - ends[0]) * (low / (low - high) if low != high else 1.0)


def _masses(capacity: NDArray, S: NDArray) -> NDArray[np.float64]:
    """CO2 in place of every member [kg]."""
    return (capacity * S).reshape(len(S), -1).sum(axis=1)
