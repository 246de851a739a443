"""The adapter toward the gateway: as a source, as a caller, as a member."""
