"""The county-facing endpoint: `homeward.county.v1` on loopback, inside the county."""
