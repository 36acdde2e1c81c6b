r"""Several kinds of data as one condition: an image, wells, scalars, some of them missing for some members.

Every modality m has its own first layer e_m; what it cannot find is replaced by a learned vector v_m, and the sum goes
through one U-Net (or MLP) that scalar context modulates:

    h = Σ_m ( a_m e_m(d_m) + (1 − a_m) v_m ) ,      a_m ∈ {0, 1} available .

A modality is missing when its name is not in the condition, and for single members where their values are not finite
(NaN) throughout. Single cells that are not finite (outside the aperture, muted) count as zeros, with a channel that says so.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from seisflow.errors import InputError
from seisflow.learning.networks.coupling import CONVOLUTIONS
from seisflow.learning.networks.summary import MLP, UNet, channels_last

__all__ = ["MultiModal"]


class MultiModal(nn.Module):
    """Summary network for a condition given by names, ``{"image": (B, C, *field), ..., "context": (B, P)}``.

    Parameters
    ----------
    modalities
        Name → number of channels; all on the field of x (vectors: ``(B, C)``).
    width
        Feature channels.
    scales
        Scales of the flow.
    ndim
        Number of field axes, 0 (vectors) to 3.
    context
        Number of scalars under the key ``"context"``; 0 for none.
    dropout
        In the network behind the first layers.
    """

    def __init__(
        self,
        modalities: Mapping[str, int],
        width: int,
        scales: int,
        ndim: int = 2,
        context: int = 0,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        if not modalities or "context" in modalities:
            raise InputError("modalities", dict(modalities), 'name at least one, and keep "context" for scalars')
        self.channels = dict(modalities)
        self.width = width
        self.context = context
        # A name may hold any character for the user, but not for torch: stems are numbered.
        self.stems = nn.ModuleList(
            CONVOLUTIONS[ndim](2 * n, width, 3, padding=1) if ndim else nn.Linear(2 * n, width)
            for n in self.channels.values()
        )
        self.missing = nn.Parameter(0.1 * torch.randn(len(self.channels), width))
        self.body: nn.Module
        if ndim:
            self.body = UNet(width, width, scales, dropout, finest=False, ndim=ndim, context=context)
        else:
            self.body = MLP(width + context, width, scales, dropout)
        self.ndim = ndim

    def forward(self, condition: Mapping[str, Tensor]) -> list[Tensor]:
        """Features for every scale."""
        if isinstance(condition, Tensor):
            raise InputError("condition", "one tensor", f"give a mapping with some of {tuple(self.channels)}")
        unknown = set(condition) - set(self.channels) - {"context"}
        if unknown:
            raise InputError("condition", sorted(unknown), f"known names are {(*self.channels, 'context')}")
        present = [condition[name] for name in self.channels if name in condition]
        if not present:
            raise InputError("condition", sorted(condition), f"give at least one of {tuple(self.channels)}")
        size, field = max(len(p) for p in present), present[0].shape[2:]
        h = present[0].new_zeros((size, self.width, *field))
        for stem, absent, (name, channels) in zip(self.stems, self.missing, self.channels.items(), strict=True):
            absent = absent.view(1, -1, *(1,) * len(field))
            if name not in condition:
                h = h + absent
                continue
            data = condition[name]
            if data.shape[1] != channels or data.shape[2:] != field:
                raise InputError(f"condition[{name!r}].shape", tuple(data.shape), f"expected {(channels, *field)} each")
            finite = data.isfinite()
            seen = torch.cat([torch.where(finite, data, 0.0), finite.to(data.dtype)], dim=1)
            available = finite.flatten(1).any(dim=1).view(-1, *(1,) * (data.ndim - 1))
            h = h + torch.where(available, stem(channels_last(seen)), absent)
        return self._behind(h, condition.get("context"))

    def _behind(self, h: Tensor, context: Tensor | None) -> list[Tensor]:
        if not self.context:
            return self.body(h)
        if context is None or context.shape[1:] != (self.context,):
            shape = None if context is None else tuple(context.shape)
            raise InputError("condition['context'].shape", shape, f"give {self.context} scalars per member")
        context = context.expand(len(h), -1)
        return self.body(h, context) if self.ndim else self.body(torch.cat([h, context], dim=1))
