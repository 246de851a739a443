"""What both ends of the wire agree on; pure, without I/O."""
