"""Reading the county's own systems: one port, one file per technology."""
