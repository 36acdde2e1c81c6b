"""The juliacall launcher's process: a Python that holds Julia and nothing else, and serves as ``server.jl`` does.

    python child.py SERVER MODULE PARENT

Run by its path, so that neither seisflow nor torch comes in. Standard output belongs to the frames; what juliacall prints
while it starts goes to the log.
"""

from __future__ import annotations

import os
import sys


def main(server: str, module: str, parent: str) -> None:
    """Start Julia in this process, include the server and run it until the input ends."""
    frames = os.dup(1)
    os.dup2(2, 1)
    import juliacall

    os.dup2(frames, 1)
    os.close(frames)
    assert "torch" not in sys.modules
    juliacall.Main.include(server)
    juliacall.Main.SeisflowServer.main(module, parent)


if __name__ == "__main__":
    main(*sys.argv[1:])
