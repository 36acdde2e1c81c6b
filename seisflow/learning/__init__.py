"""Networks, flows, training: knows no physics and no ensemble."""
