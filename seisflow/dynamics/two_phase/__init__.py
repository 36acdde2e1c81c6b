"""Two-phase flow of CO2 and brine: the parts of a case, and the model that sends it to an engine."""
