r"""The command line: ``seisflow init | validate | run | assimilate | report | export | doctor | keys | version``.

One file a command; what takes time to import is imported by the command that needs it.
"""

from seisflow.cli.app import app

__all__ = ["app"]
