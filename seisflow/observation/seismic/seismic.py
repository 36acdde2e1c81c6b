r"""Time-lapse seismic images of a CO2 saturation: y = image of (F[R(S)] − F[baseline] + noise), on the flow grid.

    R      rock physics: saturation (carried from the flow cells to the wave nodes) → v_p, ρ of the monitor
    F      acoustic waves in the true, unsmoothed monitor model → records
    image  adjoint of the linearised F in the smoothed baseline; averaged over the flow cells

The image is linear in the records, so image(data + noise) = image(data) + image(noise). Therefore the noise covariance of
the image comes from a bank of imaged noise records (:mod:`seisflow.observation.seismic.noise`), which serves all surveys.
Another reference model x̄ than the baseline, such as the forecast mean, subtracts one image, that of F[R(x̄)] −
F[baseline], from data and predictions alike: :meth:`Seismic.relative_to`, and :meth:`Seismic.refer` in the loop.

Images are in units of the noise: they are divided by one number, the root mean square over the flow grid of one imaged
noise draw (at 28 dB when no noise is asked for). It depends on the baseline, survey, options and seed, never on a member.

With ``encoded_shots`` the experiments are supershots of several sources: a fixed linear map of the single-shot records, the
same for members, truth and noise.

Work by lifetime: once per process: operators, background wavefields, baseline records; once per study: noise bank; once per
member: one forward and one adjoint run per experiment. Members, or the shots of a few members, are spread over processes
(``workers``), members also over any ``concurrent.futures.Executor``; results are identical bit for bit.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Executor
from dataclasses import replace
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from seisflow.covariance import SeparableCovariance
from seisflow.ensemble import Ensemble, MemberProgress
from seisflow.errors import InputError
from seisflow.grid import Grid
from seisflow.observation.base import Observation, Work
from seisflow.observation.data import DataField, FileArray
from seisflow.observation.seismic.dispatch import Dispatch
from seisflow.observation.seismic.image_data import image_field, image_work, survey_records
from seisflow.observation.seismic.noise import Repeatability, coloured_noise
from seisflow.observation.seismic.rock_physics import RockPhysics
from seisflow.observation.seismic.simulator import SeismicSettings
from seisflow.observation.waves.encoding import Codes, Encoding
from seisflow.observation.waves.imaging import Imaging
from seisflow.observation.waves.survey import Survey

__all__ = ["Seismic"]

Reference = Literal["baseline", "forecast_mean"]

_NOMINAL_SNR = 28.0


class Seismic(Observation):
    """Seismic images of a saturation, field ``image`` ``(M, *flow_grid.shape)``, float32, in units of the noise.

    Parameters
    ----------
    flow_grid
        Grid of the saturation and of the image.
    wave_grid
        Grid of the waves, in the same coordinates: from the sea surface to below the reservoir.
    velocity, density
        Brine-saturated baseline on the wave grid: v_p [m/s] and ρ [kg/m³].
    porosity
        φ on the flow grid, or one number.
    survey
        Geometry, wavelet and recording.
    rock_physics, imaging
        How CO2 changes the rock, and how images are made.
    encoded_shots
        Number of supershots; None: every source alone.
    codes
        What fires in them: ``"orthogonal"`` weights, or ``"random"`` signs and delays
        (:mod:`~seisflow.observation.waves.encoding`).
    shots
        Indices of the sources to use, each alone; None: all of them.
    longest_delay
        Longest delay of a source in a supershot of random codes [s].
    reference
        What :meth:`refer` subtracts: ``"baseline"``, nothing more than the baseline, or ``"forecast_mean"``.
    snr
        Signal-to-noise ratio of the records [dB]; None: no noise.
    repeatability
        What differs between the vintages besides noise; None: nothing. It is in :meth:`observe` and in :attr:`noise`.
    initial_pressure
        Pressure before injection on the flow grid [Pa]: needed when rock physics has a pressure effect.
    noise_images
        Size of the bank of imaged noise records.
    seed
        Seed of the encoding and of the noise bank (not of :meth:`observe`).
    space_order, layer, free_surface, threads
        Of the :class:`~seisflow.observation.waves.propagator.Propagator`.
    memory
        Budget for background wavefields in every process [bytes]; None: all are stored.
    workers
        Processes over which members are spread (spawned when first used; they never import torch). 1: this process.
    executor
        Instead of ``workers``: somebody else's executor, which is not shut down here.

    Raises
    ------
    InputError
        When grids, model or survey do not fit together.
    SimulationError
        Later, when worker processes die again and again; the object can be used again.
    """

    def __init__(
        self,
        flow_grid: Grid,
        wave_grid: Grid,
        velocity: NDArray,
        density: NDArray,
        porosity: ArrayLike,
        survey: Survey,
        *,
        rock_physics: RockPhysics | None = None,
        imaging: Imaging | None = None,
        encoded_shots: int | None = None,
        codes: Codes = "orthogonal",
        shots: tuple[int, ...] | None = None,
        longest_delay: float = 0.2,
        reference: Reference = "baseline",
        snr: float | None = 28.0,
        repeatability: Repeatability | None = None,
        initial_pressure: NDArray | None = None,
        noise_images: int = 32,
        seed: int = 0,
        space_order: int = 8,
        layer: int = 10,
        free_surface: bool = False,
        memory: float | None = None,
        threads: int = 1,
        workers: int = 1,
        executor: Executor | None = None,
    ) -> None:
        if snr is not None and not np.isfinite(snr):
            raise InputError("snr", snr, "give decibels, or None for no noise")
        if noise_images < 2:
            raise InputError("noise_images", noise_images, "give at least 2")
        if not (np.isfinite(longest_delay) and 0 <= longest_delay < survey.duration):
            raise InputError("longest_delay", longest_delay, "give 0 s or more, less than the record's duration")
        if reference not in ("baseline", "forecast_mean"):
            raise InputError("reference", reference, "choose 'baseline' or 'forecast_mean'")
        delay = round(longest_delay / survey.interval)
        encoding = Encoding.chosen(len(survey.sources), shots, encoded_shots, codes, delay, seed)
        self._settings = SeismicSettings(
            flow_grid=flow_grid,
            wave_grid=wave_grid,
            velocity=velocity,
            density=density,
            porosity=porosity,  # type: ignore[arg-type]
            survey=survey,
            rock_physics=rock_physics or RockPhysics(),
            imaging=imaging or Imaging(),
            encoding=encoding,
            repeatability=repeatability,
            initial_pressure=initial_pressure,
            space_order=space_order,
            layer=layer,
            free_surface=free_surface,
            memory=memory,
            threads=threads,
        )
        survey.check(wave_grid, self._settings.velocity, space_order)
        self.reference: Reference = reference
        self.flow_grid, self.wave_grid, self.survey, self.encoding = flow_grid, wave_grid, survey, encoding
        self.snr, self.noise_images, self.seed = snr, noise_images, seed
        self._experiment = "shots" if encoded_shots is None else "encoded shots"
        self._dispatch = Dispatch(self._settings, workers, executor)

    @property
    def workers(self) -> int:
        """Processes over which members are spread."""
        return self._dispatch.workers

    def close(self) -> None:
        """End the worker processes; they start again when needed."""
        self._dispatch.close()

    def __enter__(self) -> Seismic:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    # -- the observation --------------------------------------------------------------------------------------------

    @cached_property
    def data(self) -> Mapping[str, DataField]:
        return {"image": image_field(self.flow_grid, self.snr is not None)}

    def predict(self, ensemble: Ensemble, progress: MemberProgress | None = None) -> Ensemble:
        """Noise-free images of the members' ``saturation`` ``(M, *flow_grid.shape)``; ``progress(done, total)``."""
        states = self._settings.states(ensemble)
        unit = self.unit
        images = np.empty((ensemble.size, *self.flow_grid.shape), np.float32)
        for member, image in enumerate(self._dispatch.images(states)):
            images[member] = image / unit
            if progress is not None:
                progress(member + 1, ensemble.size)
        return Ensemble({"image": images}, ensemble.time)

    def observe(self, truth: Ensemble, generator: np.random.Generator) -> Ensemble:
        if truth.size != 1:
            raise InputError("truth.size", truth.size, "give one member")
        noise = None if self.snr is None else coloured_noise(self.survey, self.noise_norm, generator)
        errors = self._settings.repeatability
        vintage = None if errors is None else errors.draw(self.survey, self.wave_grid, generator)
        (image,) = self._dispatch.images(self._settings.states(truth), [noise], [vintage])
        return Ensemble({"image": (image / self.unit)[None]}, truth.time)

    def compare(self, arrays: Mapping[str, FileArray | NDArray]) -> dict[str, NDArray]:
        """The image, or shot records ``records`` with their geometry beside them, in the survey's order."""
        return {"records": survey_records(arrays, self.survey)} if "records" in arrays else super().compare(arrays)

    def accept(self, arrays: Mapping[str, FileArray | NDArray], time: float = 0.0) -> Ensemble:
        found = self.compare(arrays)
        return self.from_records(found["records"], time) if "records" in found else super().accept(arrays, time)

    def from_records(self, records: NDArray, time: float = 0.0) -> Ensemble:
        """The datum of single-shot records from elsewhere (a field survey, another simulator).

        Parameters
        ----------
        records
            ``(n_sources, n_samples, n_receivers)`` of this survey, in the units of the simulated ones: a source of strength
            1 m³/s² per metre in 2-D (the wavelet's peak), records in Pa.
        time
            Time of the survey [s].
        """
        expected = (len(self.survey.sources), self.survey.n_samples, len(self.survey.receivers))
        if np.shape(records) != expected or not np.isfinite(records).all():
            raise InputError("records.shape", np.shape(records), f"give finite records of the survey's {expected}")
        (image,) = self._dispatch.map("record_image", [np.asarray(records, np.float32)])
        return Ensemble({"image": (image / self.unit)[None]}, time)

    def relative_to(self, data: Ensemble, reference: Ensemble) -> Ensemble:
        """Images relative to another reference model than the baseline.

        The image is linear in the records, so image(d − F[R(x)]) = image(d − F[baseline]) − image(F[R(x)] − F[baseline]).

        Parameters
        ----------
        data
            Images of :meth:`predict` or :meth:`observe`.
        reference
            The reference state x, one member: for example ``forecast.mean()`` as an ensemble.
        """
        if reference.size != 1:
            raise InputError("reference.size", reference.size, "give one member, such as the forecast's mean")
        return Ensemble({"image": data["image"] - self.predict(reference)["image"]}, data.time)

    def refer(self, forecast: Ensemble, *data: Ensemble) -> tuple[Ensemble, ...]:
        if self.reference == "baseline":
            return data
        image = self.predict(forecast.mean())["image"]
        return tuple(one.replace(image=one["image"] - image) for one in data)

    @cached_property
    def baseline_records(self) -> NDArray[np.float32]:
        """Single-shot records of the baseline, ``(n_sources, n_samples, n_receivers)``."""
        return next(self._dispatch.shots([None]))

    @cached_property
    def noise_norm(self) -> float:
        """2-norm of the noise records of one survey, all sources together."""
        snr = _NOMINAL_SNR if self.snr is None else self.snr
        return float(np.linalg.norm(self.baseline_records.astype(np.float64))) * 10 ** (-snr / 20)

    def _noise_images(self, draws: range) -> list[NDArray]:
        fixed = ([one] * len(draws) for one in (self.noise_norm, self.seed))
        return list(self._dispatch.map("noise_image", *fixed, list(draws)))

    @cached_property
    def unit(self) -> np.float32:
        """The number that divides all images: root mean square of one imaged noise draw."""
        (image,) = self._noise_images(range(1))
        return np.float32(np.sqrt(np.mean(image.astype(np.float64) ** 2)))

    @cached_property
    def noise(self) -> SeparableCovariance:
        """Covariance of the packed images, from the bank of imaged noise records; computed once, on first use."""
        if self.snr is None:
            raise InputError("snr", None, "without noise there is no covariance; give the SNR in dB")
        draws = self._noise_images(range(1, 1 + self.noise_images))
        return SeparableCovariance.of(np.stack(draws) / self.unit)

    def channels(self, data: Ensemble) -> NDArray[np.float32]:
        return np.asarray(data["image"], np.float32)[:, None]

    @cached_property
    def _work(self) -> Work:
        return image_work(self._settings, self._experiment)

    def work(self, members: int, noise: bool = False) -> tuple[Work, ...]:
        # The bank of noise images, and the draw that gives all images their unit.
        return (replace(self._work, members=members, noise=self.noise_images + 1 if noise else 0),)

    # -- for plots --------------------------------------------------------------------------------------------------

    def records(self, ensemble: Ensemble) -> NDArray[np.float32]:
        """Single-shot records of every member, ``(M, n_sources, n_samples, n_receivers)``, without noise."""
        return np.stack(list(self._dispatch.shots(self._settings.states(ensemble))))

    def wave_images(self, ensemble: Ensemble) -> NDArray[np.float32]:
        """Noise-free images of every member at the resolution of the wave grid, ``(M, *wave_grid.shape)``."""
        images: NDArray[np.float32] = np.stack(
            list(self._dispatch.images(self._settings.states(ensemble), on_waves=True))
        )
        return images / self.unit

    @property
    def background(self) -> tuple[NDArray, NDArray]:
        """The smoothed baseline in which images are made: v_p [m/s] and ρ [kg/m³] on the wave grid."""
        return self._settings.background
