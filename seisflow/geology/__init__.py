"""What is known of the ground before any data: sections of velocity and density, from files."""
