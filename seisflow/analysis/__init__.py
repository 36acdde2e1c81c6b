"""The analyses: one method per file, all behind one contract."""
