r"""Summary networks: what the flow sees of the data, at every scale.

For fields a small U-Net (Ronneberger et al. 2015): residual blocks going down by average pooling, a global mean broadcast
at the bottom so that wells and far-away data are heard everywhere, and back up by interpolation. It returns its features
at full resolution and at each halved one; the flow's scale l uses the features of its own resolution. Scalars that hold
for the whole field (time, an exponent of the rock physics) modulate every block feature-wise,

    h ← (1 + γ) h + β ,    (γ, β) = network(context)        (Perez et al. 2018, "FiLM"),

starting as the identity. For vectors an MLP. Several modalities, some missing: :mod:`~seisflow.learning.networks.modality`.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from seisflow.errors import InputError
from seisflow.learning.networks.coupling import CONVOLUTIONS, zeroed
from seisflow.learning.networks.haar import haar_squeeze, haar_unsqueeze

__all__ = ["MLP", "UNet", "UNetHead", "channels_last"]

_DROPOUT = {1: nn.Dropout1d, 2: nn.Dropout2d, 3: nn.Dropout3d}
_POOL = {1: functional.avg_pool1d, 2: functional.avg_pool2d, 3: functional.avg_pool3d}


def channels_last(x: Tensor) -> Tensor:
    """The same field with its channels last in memory, where convolutions are faster."""
    if x.ndim == 4:
        return x.contiguous(memory_format=torch.channels_last)
    return x.contiguous(memory_format=torch.channels_last_3d) if x.ndim == 5 else x


class _Block(nn.Module):
    """Two convolutions of width 3 and a short cut, modulated by the context where there is one."""

    def __init__(self, inputs: int, outputs: int, dropout: float, ndim: int = 2) -> None:
        super().__init__()
        convolution = CONVOLUTIONS[ndim]
        self.short = convolution(inputs, outputs, 1) if inputs != outputs else nn.Identity()
        self.body = nn.Sequential(
            convolution(inputs, outputs, 3, padding=1),
            nn.SiLU(),
            _DROPOUT[ndim](dropout),
            convolution(outputs, outputs, 3, padding=1),
        )
        self.outputs = outputs

    def forward(self, x: Tensor, modulation: tuple[Tensor, Tensor] | None = None) -> Tensor:
        h = self.short(x) + self.body(x)
        if modulation is not None:
            gamma, beta = (m.view(*m.shape, *(1,) * (h.ndim - 2)) for m in modulation)
            h = torch.addcmul(beta, h, 1 + gamma)
        return functional.silu(h)


class UNet(nn.Module):
    """Features of condition channels on a field, at ``levels + 1`` resolutions.

    Parameters
    ----------
    inputs
        Condition channels.
    width
        Feature channels at full resolution; also the number returned at every resolution.
    levels
        How often the field is halved; every field axis must be divisible by ``2**levels``.
    dropout
        Probability of dropping a feature map while training.
    finest
        Whether to climb to full resolution; without it the features end at half resolution (Glow squeezes first).
    ndim
        Number of field axes, 1 to 3.
    context
        Number of scalars that modulate the blocks; 0 for none.
    """

    def __init__(
        self,
        inputs: int,
        width: int,
        levels: int,
        dropout: float = 0.0,
        finest: bool = True,
        ndim: int = 2,
        context: int = 0,
    ) -> None:
        super().__init__()
        if ndim not in CONVOLUTIONS:
            raise InputError("ndim", ndim, "a U-Net needs fields of 1 to 3 axes; use MLP for vectors")
        self.ndim = ndim
        widths = [width, *(2 * width,) * levels]
        pairs = zip([inputs, *widths[:-1]], widths, strict=True)
        self.down = nn.ModuleList(_Block(a, b, dropout, ndim) for a, b in pairs)
        self.bottom = _Block(2 * widths[-1], widths[-1], dropout, ndim)
        self.up = nn.ModuleList(
            _Block(widths[i + 1] + widths[i], widths[i], dropout, ndim)
            for i in reversed(range(0 if finest else 1, levels))
        )
        self.out = nn.ModuleList(CONVOLUTIONS[ndim](w, width, 1) for w in (widths if finest else widths[1:]))
        blocks = [*self.down, self.bottom, *self.up]
        self.sizes = [b.outputs for b in blocks if isinstance(b, _Block)]
        self.modulate: nn.Module | None = None
        if context:
            last = zeroed(nn.Linear(4 * width, 2 * sum(self.sizes)))
            self.modulate = nn.Sequential(nn.Linear(context, 4 * width), nn.SiLU(), last)

    def forward(self, condition: Tensor, context: Tensor | None = None) -> list[Tensor]:
        """Features ``(B, width, nx/2^l, nz/2^l)`` for l = 0 (or 1, without the finest) … levels.

        ``context`` is ``(B, number of scalars)``.
        """
        modulations = iter(self._modulations(context))
        skips = []
        x = channels_last(condition)
        for level, block in enumerate(self.down):
            x = block(_POOL[self.ndim](x, 2) if level else x, next(modulations))
            skips.append(x)
        mean = x.mean(dim=tuple(range(2, x.ndim)), keepdim=True).expand_as(x)
        x = self.bottom(torch.cat([x, mean], dim=1), next(modulations))
        features = [x]
        for block, skip in zip(self.up, skips[-2::-1], strict=False):  # stops before full resolution if told so
            above = functional.interpolate(x, scale_factor=2, mode="nearest")
            x = block(torch.cat([above, skip], dim=1), next(modulations))
            features.append(x)
        return [out(f) for out, f in zip(self.out, reversed(features), strict=True)]

    def _modulations(self, context: Tensor | None) -> list[tuple[Tensor, Tensor] | None]:
        if self.modulate is None:
            return [None] * len(self.sizes)
        if context is None:
            raise InputError("context", None, "this network was built with scalar context: give it")
        parts = self.modulate(context).split([n for size in self.sizes for n in (size, size)], dim=1)
        return list(zip(parts[::2], parts[1::2], strict=True))


class UNetHead(nn.Module):
    """A :class:`UNet` on the Haar-squeezed condition, giving ``outputs`` channels at full resolution, zero at the start.

    Squeezing first (four times the channels on a quarter of the cells) costs a third of convolutions at full resolution.
    """

    def __init__(self, inputs: int, outputs: int, width: int, levels: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.unet = UNet(4 * inputs, width, levels - 1, dropout)
        # Only the finest features are used; without the other projections every parameter gets a gradient.
        self.unet.out = nn.ModuleList(nn.Identity() for _ in self.unet.out)
        self.head = nn.Conv2d(width, 4 * outputs, 3, padding=1)
        nn.init.zeros_(self.head.weight)
        assert self.head.bias is not None
        nn.init.zeros_(self.head.bias)

    def forward(self, condition: Tensor) -> Tensor:
        """``(B, outputs, nx, nz)``; every field axis divisible by ``2**levels``."""
        return haar_unsqueeze(self.head(self.unet(haar_squeeze(condition))[0]))


class MLP(nn.Module):
    """Features of a condition vector ``(B, inputs)``: two hidden layers, the same answer for every scale of a flow.

    Parameters
    ----------
    inputs
        Length of the condition.
    width
        Number of features.
    scales
        How many scales will ask.
    dropout
        Probability of dropping a hidden unit while training.
    hidden
        Width inside; default four times ``width``.
    """

    def __init__(
        self, inputs: int, width: int, scales: int = 1, dropout: float = 0.0, hidden: int | None = None
    ) -> None:
        super().__init__()
        inside = 4 * width if hidden is None else hidden
        self.scales = scales
        self.layers = nn.Sequential(
            nn.Linear(inputs, inside),
            nn.SiLU(),
            nn.Dropout(dropout),
            nn.Linear(inside, inside),
            nn.SiLU(),
            nn.Linear(inside, width),
        )

    def forward(self, condition: Tensor) -> list[Tensor]:
        """``scales`` times the features ``(B, width)``."""
        return [self.layers(condition)] * self.scales
