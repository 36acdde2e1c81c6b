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
    """One array of a page.

    Parameters
    ----------
    name
        By which the page finds it.
    values
        Finite numbers, any shape.
    bits
        8 or 16.
    """

    name: str
    values: NDArray
    bits: int = 8

    @property
    def range(self) -> tuple[float, float]:
        """Smallest and largest value."""
        return float(np.min(self.values)), float(np.max(self.values))

    def levels(self) -> NDArray[np.unsignedinteger]:
        """The rounded values q."""
        (low, high), top = self.range, 2**self.bits - 1
        scaled = (np.asarray(self.values, np.float64) - low) * (top / (high - low) if high > low else 0.0)
        return np.rint(scaled).astype("<u1" if self.bits == 8 else "<u2")

    def restored(self) -> NDArray[np.float64]:
        """The values as the page has them."""
        low, high = self.range
        return low + (high - low) * self.levels() / (2**self.bits - 1)

    def html(self) -> str:
        """The element."""
        low, high = self.range
        shape = ",".join(map(str, np.shape(self.values)))
        text = base64.b64encode(zlib.compress(self.levels().tobytes(), 9)).decode("ascii")
        return (
            f'<script type="application/octet-stream" data-block="{html.escape(self.name)}" data-shape="{shape}" '
            f'data-bits="{self.bits}" data-low="{low!r}" data-high="{high!r}">{text}</script>'
        )
