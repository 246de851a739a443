"""Rules that an owner's statement of a flag must keep, as a refusal names them: the exchange says one, and the owner's
adapter decides by it what becomes of the flag (`adapters/node/stating`).
"""

from enum import StrEnum
from typing import Final


class StatementRule(StrEnum):
    """Which one a statement broke."""

    KEY_ID = "flag_statement: key_id"
    SIGNATURE = "flag_statement: signature"
    PAYLOAD = "flag_statement: payload"
    COUNTY = "flag_statement: county"
    TIMESTAMP = "flag_statement: timestamp"
    ISSUE_TIME = "flag_statement: issue_time"
    EXPIRE_TIME = "flag_statement: expire_time"
    VERSION = "flag_statement: version"
    FLAG_ID = "flag_statement: flag_id"
    """It is about another flag; of a first one: an episode of this identifier has ended."""
    STATE = "flag_statement: state"
    """The episode cannot come into this state: it has ended."""


OVER: Final = frozenset({StatementRule.STATE, StatementRule.FLAG_ID})
"""No statement about an open episode breaks these: by them the exchange says that the episode is over."""
