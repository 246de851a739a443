"""What an adapter is called as a witness of the log.

Decides the name alone. It stands in every cosignature and in auditors' policies, so it must not change.
"""

from gateway.protocol.names import AgencyId


def witness_name(trust_domain: str, agency: AgencyId) -> str:
    """Name of the keys with which an agency's adapter cosigns checkpoints (signed-note key name)."""
    return f"{trust_domain}/witness/{agency}"
