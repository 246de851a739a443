"""The demonstration and the sandbox: the real processes, invented people, and the way a user would drive them."""
