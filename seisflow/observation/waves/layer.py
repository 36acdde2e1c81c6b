r"""The absorbing layer: a convolutional perfectly matched layer, in a form whose discrete adjoint is itself.

Beyond the model every axis is stretched, ∂_x → (1/s_x) ∂_x with s_x = 1 + σ/(α + iω) (Kuzuoglu & Mittra 1996; Roden & Gedney
2000), so that waves die away without reflection. In the time domain 1/s_x = 1 + p_x with p_x a recursion,

    ψⁿ = p_x gⁿ :   ψⁿ = b ψⁿ⁻¹ + a gⁿ,   b = exp(−(σ + α)Δt),   a = σ/(σ + α) (b − 1),

and the second difference along x becomes (Pasalic & McGarry 2010)

    (1 + p_x) (L_x w + D p_x D w),

with D the central first difference. Multiplied by s_x (and, in corners, by s_z) every term is a symmetric matrix for each
frequency: L_x is, D p_x D is since D is antisymmetric and p_x diagonal. So the response between two points of the model,
where s = 1, does not change when they change places, and the adjoint of modelling is modelling with time reversed, exactly.

Profiles over the depth d ∈ [0, 1] in the layer: σ = σ_max d², α = α_max (1 − d), with σ_max such that a wave straight into
the layer and back would keep R of its amplitude in the continuum: σ_max = −3 v ln R / (2 W) for a layer of width W.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from seisflow.observation.waves.layout import WaveLayout

__all__ = ["all_layers", "layer_coefficients"]

_KEPT = 1e-5  # R of the module's equation
_POWER = 2
_SHIFT = 0.3  # of π times the peak frequency; more lets low frequencies through


def layer_coefficients(
    n: int, low: int, high: int, spacing: float, dt: float, fastest: float, frequency: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """a and b of the recursion along one axis.

    Parameters
    ----------
    n
        Number of nodes, the layers included.
    low, high
        Nodes of the layer at either end; the innermost of them has a = 0, so that a point in the outer half cell of the
        model is still interpolated between nodes without stretching.
    spacing, dt
        Node distance [m] and time step [s].
    fastest
        Highest velocity [m/s].
    frequency
        Peak frequency f of the wavelet [Hz]; α_max = 0.3 π f.

    Returns
    -------
    tuple
        a and b, each ``(n,)``; both zero outside the layers.
    """
    index = np.arange(n)
    a, b = np.zeros(n), np.zeros(n)
    for width, depth in ((low, low - index), (high, index - (n - 1 - high))):
        if width < 2:
            continue
        d = np.clip((depth - 1) / (width - 1), 0, 1)
        sigma = -(_POWER + 1) * fastest * np.log(_KEPT) / (2 * (width - 1) * spacing) * d**_POWER
        shift = _SHIFT * np.pi * frequency * (1 - d)
        inside = d > 0
        b[inside] = np.exp(-(sigma + shift) * dt)[inside]
        a[inside] = (sigma / np.where(inside, sigma + shift, 1.0))[inside] * (b[inside] - 1)
    return a, b


def all_layers(layout: WaveLayout, dt: float, fastest: float, frequency: float) -> list[tuple[NDArray, NDArray]]:
    """a and b along every axis of a padded grid; there is no layer above a free surface."""
    coefficients = []
    for axis, (n, (low, high), h) in enumerate(zip(layout.shape, layout.pads, layout.spacing, strict=True)):
        low = 0 if layout.free_surface and axis == len(layout.shape) - 1 else low
        coefficients.append(layer_coefficients(n, low, high, h, dt, fastest, frequency))
    return coefficients
