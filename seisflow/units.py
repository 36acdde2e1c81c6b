"""Units. Everything inside seisflow is SI (m, s, Pa, m², kg/m³, Pa·s); these constants convert at the edges.

``value_SI = value * unit``: ``100 * MILLIDARCY`` is a permeability in m², ``pressure / BAR`` a pressure in bar.
"""

from __future__ import annotations

__all__ = ["ATMOSPHERE", "BAR", "DAY", "GRAVITY", "MEGATONNE", "MILLIDARCY", "YEAR"]

MILLIDARCY = 9.869232667160130e-16
"""One millidarcy in m² (1 D = 1 cP·cm/s · cm/atm)."""

BAR = 1.0e5
"""One bar in Pa."""

ATMOSPHERE = 101_325.0
"""Standard atmosphere in Pa."""

DAY = 86_400.0
"""One day in s."""

YEAR = 365.25 * DAY
"""One Julian year in s."""

MEGATONNE = 1.0e9
"""One megatonne in kg."""

GRAVITY = 9.80665
"""Standard acceleration of gravity in m/s²."""
