"""Stages that are kept: in memory, or in a run folder, member by member."""
