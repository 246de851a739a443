"""How Homeward is set up, run and shown."""
