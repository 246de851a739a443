"""Addresses in configuration files: `host:port`, what it may be, and whether a host is this machine alone.

Decides what can be listened on or dialed at all, so that a file with another address is refused at its line when it is
read, and not where somebody opens the port: there a port beyond 65535 would be taken for another, without a word.
"""

import re
from ipaddress import IPv4Address, ip_address
from typing import Final

_MAX_PORT: Final = 65535
_NAME: Final = re.compile(r"[A-Za-z0-9_.-]{1,253}")
_PORT: Final = re.compile(r"0|[1-9][0-9]{0,5}")


def split_address(address: str) -> tuple[str, int]:
    """Host and port of `host:port`; an IPv6 host stands in brackets, which are dropped. Raises `ValueError`."""
    host, _, port = address.rpartition(":")
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else ""
    if not (is_address(bare) if bare else _NAME.fullmatch(host)) or not _PORT.fullmatch(port):
        raise ValueError("write an address as host:port, an IPv6 host in brackets")
    if int(port) > _MAX_PORT:
        raise ValueError(f"the port is a number from 0 to {_MAX_PORT}; with 0 the system finds a free one")
    return bare or host, int(port)


def address_text(text: str) -> str:
    """The text, which is an address. Raises `ValueError`."""
    split_address(text)
    return text


def is_address(host: str) -> bool:
    """Whether the host is an IP address and not a name."""
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def is_loopback(host: str) -> bool:
    """Whether the host is this machine alone."""
    return ip_address(host).is_loopback if is_address(host) else host.lower() == "localhost"


def stands_for_all(host: str) -> bool:
    """Whether the host is every address of this machine, which nobody can dial."""
    if not is_address(host):
        return False
    address = ip_address(host)
    return address.is_unspecified or getattr(address, "ipv4_mapped", None) == IPv4Address(0)
