"""``python -m seisflow.cli``."""

from seisflow.cli.app import app

app()
