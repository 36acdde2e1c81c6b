"""Minimisers of a cost function, one for a window of data."""
