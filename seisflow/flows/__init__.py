"""Conditional normalizing flows on fields."""
