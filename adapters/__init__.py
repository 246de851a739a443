"""The county's side: identities and records stay here; only tokens and sealed answers leave."""
