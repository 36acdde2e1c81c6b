"""The loop over the surveys, and who computes the members."""
