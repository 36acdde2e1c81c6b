r"""Study files: every physical and numerical choice of a run, in TOML, with the unit in the name of the key.

:func:`load_study` reads and checks a file; :class:`Study` is the same thing in Python. Unknown keys, wrong types,
numbers out of range, and choices that contradict each other are refused with the key's path, the value and what to do,
before any work. The defaults are the published values where there are any (``docs/study.md`` lists them).
"""

from seisflow.study.study import Study, load_study

__all__ = ["Study", "load_study"]
