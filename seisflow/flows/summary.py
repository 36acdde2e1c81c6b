r"""Summary networks: what the flow sees of the data, at every scale.

A small U-Net (Ronneberger et al. 2015): residual blocks going down by average pooling, a global mean broadcast at the
bottom so that wells and far-away data are heard everywhere, and back up by interpolation. It returns its features at
full resolution and at each halved one; the flow's scale l uses the features of its own resolution.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from seisflow.flows.squeeze import haar_squeeze, haar_unsqueeze

__all__ = ["UNet", "UNetHead"]


class _Block(nn.Module):
    """Two 3×3 convolutions and a short cut."""

    def __init__(self, inputs: int, outputs: int, dropout: float) -> None:
        super().__init__()
        self.short = nn.Conv2d(inputs, outputs, 1) if inputs != outputs else nn.Identity()
        self.body = nn.Sequential(
            nn.Conv2d(inputs, outputs, 3, padding=1),
            nn.SiLU(),
            nn.Dropout2d(dropout),
            nn.Conv2d(outputs, outputs, 3, padding=1),
        )

    def forward(self, x: Tensor) -> Tensor:
        return functional.silu(self.short(x) + self.body(x))


class UNet(nn.Module):
    """Features of 2-D condition channels at ``levels + 1`` resolutions.

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
    """

    def __init__(self, inputs: int, width: int, levels: int, dropout: float = 0.0, finest: bool = True) -> None:
        super().__init__()
        widths = [width, *(2 * width,) * levels]
        self.down = nn.ModuleList(_Block(a, b, dropout) for a, b in zip([inputs, *widths[:-1]], widths, strict=True))
        self.bottom = _Block(2 * widths[-1], widths[-1], dropout)
        self.up = nn.ModuleList(
            _Block(widths[i + 1] + widths[i], widths[i], dropout) for i in reversed(range(0 if finest else 1, levels))
        )
        self.out = nn.ModuleList(nn.Conv2d(w, width, 1) for w in (widths if finest else widths[1:]))

    def forward(self, condition: Tensor) -> list[Tensor]:
        """Features ``(B, width, nx/2^l, nz/2^l)`` for l = 0 (or 1, without the finest) … levels."""
        skips = []
        x = condition.contiguous(memory_format=torch.channels_last)  # convolutions are faster so on CPUs
        for level, block in enumerate(self.down):
            x = block(functional.avg_pool2d(x, 2) if level else x)
            skips.append(x)
        x = self.bottom(torch.cat([x, x.mean(dim=(-2, -1), keepdim=True).expand_as(x)], dim=1))
        features = [x]
        for block, skip in zip(self.up, skips[-2::-1], strict=False):  # stops before full resolution if told so
            x = block(torch.cat([functional.interpolate(x, scale_factor=2, mode="nearest"), skip], dim=1))
            features.append(x)
        return [out(f) for out, f in zip(self.out, reversed(features), strict=True)]


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
