"""The observation H: rock physics, waves, images, wells."""
