"""Scores and calibration: pure functions that never plot."""
