"""Analyses that train a network on the forecast's own pairs."""
