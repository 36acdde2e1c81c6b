r"""Rock physics: what CO2 does to the P-wave velocity and density of brine-saturated rock.

The baseline gives v_p and ρ of the rock full of brine. With the shear modulus G = ρ v_s², which no fluid changes, its
bulk modulus is K_sat = ρ v_p² − 4/3 G. Gassmann (1951) relates the moduli of one frame filled with two fluids a and b,

    K_a / (K_min − K_a) − K_fa / (φ (K_min − K_fa)) = K_b / (K_min − K_b) − K_fb / (φ (K_min − K_fb)),

and the frame itself is the case K_fb = 0. How brine and CO2 share the pores is the mixing law:

* ``patchy``  : patches larger than the diffusion length; Hill (1963): 1/M = (1 − S)/M_brine + S/M_CO2, M = K + 4/3 G.
* ``uniform`` : finely mixed; Wood (1955): 1/K_f = (1 − S)/K_brine + S/K_CO2, then Gassmann.
* ``brie``    : Brie et al. (1995): K_f = (K_brine − K_CO2)(1 − S)^e + K_CO2, then Gassmann; e = 1 is close to patchy, e
  about 40 close to uniform.

The density is ρ + φ S (ρ_CO2 − ρ_brine). Only v_p is known, so v_s comes from the sandstone line of Greenberg & Castagna
(1992, Geophysical Prospecting 40, 195-209), v_s = 0.80416 v_p − 855.88 m/s, or from a stated ratio v_p/v_s.

A rock softer than Gassmann allows (its frame modulus would be negative) is treated as if its frame had no bulk modulus,
and one stiffer than its mineral as insensitive to the fluid.

A change of pressure acts first, on the frame (Hertz–Mindlin) or on v_p (linear law): :mod:`.pressure_effect`.

Formulas: Mavko, Mukerji & Dvorkin, The Rock Physics Handbook (Cambridge, 2009), sections 6.3 and 6.17.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from seisflow.errors import InputError
from seisflow.observation.seismic.pressure_effect import HertzMindlin, LinearPressure

__all__ = ["RockPhysics"]


@dataclass(frozen=True)
class RockPhysics:
    """Substitution of CO2 for brine.

    Parameters
    ----------
    mixing
        ``"patchy"``, ``"uniform"`` or ``"brie"``.
    brie_exponent
        Exponent e of Brie's law, 1 or more.
    K_brine, K_co2, K_mineral
        Bulk moduli of the fluids and of the mineral [Pa]. The Compass sandstones are stiff and dense for their porosity
        of 0.25: with 50 GPa every one of them slows down when CO2 enters, with quartz (36.6 GPa) the fastest do not.
    density_brine, density_co2
        Densities of the fluids [kg/m³]: give those of the flow model.
    velocity_ratio
        v_p/v_s of the brine-filled rock; None: the sandstone line of Greenberg & Castagna.
    pressure
        What a change of pore pressure does; None: nothing.

    Raises
    ------
    InputError
        When a constant is not positive or the mixing law is unknown.
    """

    mixing: Literal["patchy", "uniform", "brie"] = "patchy"
    brie_exponent: float = 3.0
    K_brine: float = 2.735e9
    K_co2: float = 0.125e9
    K_mineral: float = 50.0e9
    density_brine: float = 1000.0
    density_co2: float = 700.0
    velocity_ratio: float | None = None
    pressure: HertzMindlin | LinearPressure | None = None

    def __post_init__(self) -> None:
        if self.mixing not in ("patchy", "uniform", "brie"):
            raise InputError("rock_physics.mixing", self.mixing, "choose 'patchy', 'uniform' or 'brie'")
        for name in ("K_brine", "K_co2", "K_mineral", "density_brine", "density_co2"):
            if not (np.isfinite(getattr(self, name)) and getattr(self, name) > 0):
                raise InputError(f"rock_physics.{name}", getattr(self, name), "give a positive number in SI units")
        if not self.K_co2 < self.K_brine < self.K_mineral:
            raise InputError("rock_physics.K_brine", self.K_brine, "it must lie between K_co2 and K_mineral")
        if not (np.isfinite(self.brie_exponent) and self.brie_exponent >= 1):
            raise InputError("rock_physics.brie_exponent", self.brie_exponent, "give a number of 1 or more")
        if self.velocity_ratio is not None and not self.velocity_ratio > np.sqrt(4 / 3):
            raise InputError("rock_physics.velocity_ratio", self.velocity_ratio, "it must exceed √(4/3) = 1.155")

    def shear_velocity(self, v_p: NDArray) -> NDArray[np.float64]:
        """v_s [m/s] of brine-filled rock from v_p [m/s]; 0 in water and mud (the line crosses zero at 1064 m/s)."""
        if self.velocity_ratio is not None:
            return np.asarray(v_p, np.float64) / self.velocity_ratio
        return np.maximum(0.80416 * np.asarray(v_p, np.float64) - 855.88, 0.0)

    def substitute(
        self,
        saturation: NDArray,
        v_p: NDArray,
        density: NDArray,
        porosity: ArrayLike,
        pressure_change: NDArray | None = None,
        effective_pressure: ArrayLike | None = None,
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The monitor's v_p [m/s] and ρ [kg/m³] where CO2 has come in.

        Parameters
        ----------
        saturation
            CO2 saturation S in [0, 1]; any shape.
        v_p, density
            The baseline full of brine [m/s, kg/m³], of the same shape or broadcastable to it.
        porosity
            φ in (0, 1): a number, or one per cell.
        pressure_change
            Change Δp of the pore pressure [Pa], of the saturation's shape; used when there is a pressure effect.
        effective_pressure
            Effective pressure P before the change [Pa], which Hertz–Mindlin needs: a number, or one per cell.

        Returns
        -------
        tuple
            v_p and ρ, float64. Where S = 0 and Δp = 0 they are the baseline's, bit for bit.

        Raises
        ------
        InputError
            When a saturation lies outside [0, 1], or a baseline value or porosity is not physical.
        """
        S = np.asarray(saturation, np.float64)
        if not (np.isfinite(S).all() and (S >= 0).all() and (S <= 1).all()):
            bad = S[~(np.isfinite(S) & (S >= 0) & (S <= 1))][0]
            raise InputError("saturation", float(bad), "it must lie in [0, 1]; clip the members first")
        v_p, density, phi = (np.broadcast_to(np.asarray(a, np.float64), S.shape) for a in (v_p, density, porosity))
        for name, array in (("v_p", v_p), ("density", density)):
            if not (np.isfinite(array).all() and (array > 0).all()):
                raise InputError(name, float(np.min(array)), "every value must be finite and positive")
        if not ((phi > 0) & (phi < 1)).all():
            raise InputError("porosity", float(phi[~((phi > 0) & (phi < 1))][0]), "it must lie between 0 and 1")
        change = self._pressure_change(pressure_change, S.shape)
        new_v, new_rho = v_p.copy(), density.copy()
        stiffening = np.ones(S.shape)
        if isinstance(self.pressure, HertzMindlin) and pressure_change is not None:
            if effective_pressure is None or not (np.asarray(effective_pressure) > 0).all():
                raise InputError("effective_pressure", effective_pressure, "Hertz-Mindlin needs it, positive, in Pa")
            stiffening = self.pressure.stiffening(change, np.broadcast_to(effective_pressure, S.shape))
        elif isinstance(self.pressure, LinearPressure):
            new_v = new_v + self.pressure.slope * change
        touched = (S > 0) | (stiffening != 1)
        new_v[touched], new_rho[touched] = self._substitute(
            S[touched], new_v[touched], density[touched], phi[touched], stiffening[touched]
        )
        return new_v, new_rho

    def _pressure_change(self, change: NDArray | None, shape: tuple[int, ...]) -> NDArray[np.float64]:
        if self.pressure is None or change is None:
            return np.zeros(shape)
        array = np.asarray(change, np.float64)
        if array.shape != shape or not np.isfinite(array).all():
            raise InputError(
                "pressure_change", array.shape, f"give finite values in Pa of the saturation's shape {shape}"
            )
        return array

    def _substitute(
        self, S: NDArray, v_p: NDArray, density: NDArray, phi: NDArray, stiffening: NDArray
    ) -> tuple[NDArray, NDArray]:
        shear = 4 / 3 * density * self.shear_velocity(v_p) ** 2
        K_brine_rock = density * v_p**2 - shear
        moved = stiffening != 1
        if moved.any():
            K_brine_rock = np.where(moved, self._stiffen(K_brine_rock, phi, stiffening), K_brine_rock)
            shear = shear * stiffening
        M_brine = K_brine_rock + shear
        if self.mixing == "patchy":
            M_co2 = self._refill(K_brine_rock, phi, np.full_like(S, self.K_co2)) + shear
            M = 1 / ((1 - S) / M_brine + S / M_co2)
        else:
            if self.mixing == "uniform":
                K_fluid = 1 / ((1 - S) / self.K_brine + S / self.K_co2)
            else:
                K_fluid = (self.K_brine - self.K_co2) * (1 - S) ** self.brie_exponent + self.K_co2
            M = self._refill(K_brine_rock, phi, K_fluid) + shear
        new_density = density + phi * S * (self.density_co2 - self.density_brine)
        return np.sqrt(M / new_density), new_density

    def _stiffen(self, K_rock: NDArray, phi: NDArray, factor: NDArray) -> NDArray:
        """Gassmann: the bulk modulus of the brine-filled rock when its dry frame's modulus changes by a factor."""
        K_min = self.K_mineral
        stiff = K_rock >= 0.999 * K_min
        brine = self.K_brine / (phi * (K_min - self.K_brine))
        # x = K/(K_min − K): of the filled rock minus that of the brine is that of the dry frame.
        frame = np.maximum(K_rock / (K_min - np.where(stiff, 0.0, K_rock)) - brine, 0.0)
        dry = np.minimum(factor * K_min * frame / (1 + frame), 0.999 * K_min)
        filled = dry / (K_min - dry) + brine
        # A rock too soft or too stiff for Gassmann keeps its bulk modulus.
        return np.where(stiff | (frame == 0), K_rock, K_min * filled / (1 + filled))

    def _refill(self, K_rock: NDArray, phi: NDArray, K_fluid: NDArray) -> NDArray:
        """Gassmann: the bulk modulus of the brine-filled rock when another fluid fills it."""
        K_min = self.K_mineral

        def pore(K: NDArray | float) -> NDArray:
            return K / (phi * (K_min - K))

        stiff = K_rock >= 0.999 * K_min
        frame = K_rock / (K_min - np.where(stiff, 0.0, K_rock)) - pore(self.K_brine)
        filled = np.maximum(frame, 0.0) + pore(K_fluid)
        # A too soft rock must not become stiffer than it was.
        return np.where(stiff, K_rock, np.minimum(K_min * filled / (1 + filled), K_rock))
