"""Ensemble Kalman filters and smoothers: one linear map of the members."""
