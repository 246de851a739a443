"""Secrets that somebody wrote where only references belong, hidden in what an error shows. Names decide, not values."""

import re
from typing import Final

SECRET_NAME: Final = re.compile(r"(?i)^secrets\.|pas+w|passphrase|pwd|token|authorization|api_?key")
"""Found in the name of a setting whose value is not shown."""
_SECRET_VALUE: Final = re.compile(
    r"""(?i)(["']?[\w.-]*(?:pas+w|passphrase|pwd|token|authorization|api_?key)[\w.-]*["']?\s*:\s*)(?![\s{\[#]).+"""
)
_USERINFO: Final = re.compile(r"(://[^\s/:@]*:)[^\s/@]*@")


def masked_line(line: str) -> str:
    """The line of a document without a secret."""
    return masked_address(_SECRET_VALUE.sub(r"\1***", line))


def masked_address(text: str) -> str:
    """The text without the password of an address in it."""
    return _USERINFO.sub(r"\1***@", text)
