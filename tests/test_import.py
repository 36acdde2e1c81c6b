import subprocess
import sys

import seisflow


def test_that_importing_seisflow_loads_no_engine():
    engines = ("torch", "devito", "juliacall", "numpy", "pydantic")
    code = f"import seisflow, sys; print([m for m in {engines} if m in sys.modules])"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    assert loaded == "[]"


def test_that_every_public_name_is_there():
    assert all(hasattr(seisflow, name) for name in seisflow.__all__)
