"""The policy bundle: its data, its loader, its model and its English text."""
