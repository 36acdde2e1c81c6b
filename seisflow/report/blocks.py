r"""Arrays inside a page: rounded to 8 or 16 bits, compressed, in base64.

    v ≈ low + (high − low) q / (2^bits − 1) ,     |error| ≤ ½ (high − low) / (2^bits − 1)

q is compressed by zlib (RFC 1950), which browsers undo by themselves (``DecompressionStream``), and stands in a
``<script>`` element of a type that browsers do not run; its attributes hold shape, bits, low and high.
"""

from __future__ import annotations

import base64
import html
import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Block"]


@dataclass(frozen=True, eq=False)
class Block:
    """One array of a page, rounded; the array itself is not kept.

    Parameters
    ----------
    name
        By which the page finds it.
    levels
        The rounded values q, 8 or 16 bits.
    range
        (low, high): what the lowest and the highest level stand for.
    """

    name: str
    levels: NDArray[np.unsignedinteger]
    range: tuple[float, float]

    @staticmethod
    def of(name: str, values: NDArray, bits: int = 8) -> Block:
        """A block of finite numbers of any shape, in 8 or 16 bits."""
        low, high, top = float(np.min(values)), float(np.max(values)), 2**bits - 1
        levels = np.empty(np.shape(values), "<u1" if bits == 8 else "<u2")
        for i, part in enumerate(np.asarray(values)):  # member by member: no second copy of an ensemble
            levels[i] = np.rint((part - low) * (top / (high - low) if high > low else 0.0))
        return Block(name, levels, (low, high))

    @property
    def bits(self) -> int:
        """8 or 16."""
        return 8 * self.levels.itemsize

    def restored(self) -> NDArray[np.float64]:
        """The values as the page has them."""
        low, high = self.range
        return low + (high - low) * self.levels / (2**self.bits - 1)

    def html(self) -> str:
        """The element."""
        low, high = self.range
        shape = ",".join(map(str, self.levels.shape))
        text = base64.b64encode(zlib.compress(self.levels.tobytes(), 9)).decode("ascii")
        return (
            f'<script type="application/octet-stream" data-block="{html.escape(self.name)}" data-shape="{shape}" '
            f'data-bits="{self.bits}" data-low="{low!r}" data-high="{high!r}">{text}</script>'
        )
