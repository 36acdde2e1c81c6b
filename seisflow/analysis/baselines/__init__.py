"""What any method must improve on."""
