"""A run and its folder: whose it is, where its data come from, what it holds, how good it is."""
