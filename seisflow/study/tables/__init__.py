"""The tables of a study file."""
