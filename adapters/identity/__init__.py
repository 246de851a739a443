"""From an identity to match keys, and from match keys to tokens; nothing here leaves the county in clear."""

from adapters.identity.errors import IncompleteIdentity, InvalidIdentity
from adapters.identity.keys import keyed_input, match_keys, match_keys_extended

__all__ = ["IncompleteIdentity", "InvalidIdentity", "keyed_input", "match_keys", "match_keys_extended"]
