"""The dynamics M: what carries a state from one survey to the next."""
