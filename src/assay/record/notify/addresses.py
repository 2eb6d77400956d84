"""Where a webhook may point: https, and no address inside this network, asked anew each time something is sent."""

import ipaddress
import os
import socket
from urllib.parse import urlsplit

import msgspec

from assay.errors import InvalidInput

__all__ = ["LOCAL", "Target", "checked_target"]

LOCAL = "ASSAY_WEBHOOK_LOCAL"  # 1: plain http and this machine's own addresses are allowed, for trying out
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class Target(msgspec.Struct, frozen=True):
    """An address that was looked up and found allowed: what is sent goes to `address`, whatever the name says later."""

    scheme: str
    host: str
    address: str
    port: int
    path: str


def checked_target(url: str) -> Target:
    """Look up the host of a webhook; InvalidInput unless every address it has is public."""
    local = os.environ.get(LOCAL) == "1"
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise InvalidInput(f"Invalid webhook URL {url!r}") from None
    schemes = ("https", "http") if local else ("https",)
    if parts.scheme not in schemes:
        raise InvalidInput(f"Invalid webhook URL scheme: {parts.scheme!r}. Allowed schemes are: {', '.join(schemes)}.")
    if not host or any(ord(sign) <= ord(" ") for sign in url):
        raise InvalidInput(f"Webhook URL must include a hostname: {url!r}")
    if parts.username is not None or parts.password is not None:
        raise InvalidInput(
            "a webhook URL holds no user name and password", expected="a secret, which signs what is sent"
        )
    port = port or (443 if parts.scheme == "https" else 80)
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise InvalidInput(f"Cannot resolve hostname {host!r} of the webhook URL") from None
    addresses = [str(one[4][0]).partition("%")[0] for one in found]
    for text in addresses:
        address = ipaddress.ip_address(text)
        if not _is_public(address) and not (local and address.is_loopback):
            raise InvalidInput(f"Webhook URL must not resolve to a non-public IP address: {host!r}")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Target(parts.scheme, host, addresses[0], port, path)


def _is_public(address: _Address) -> bool:
    if isinstance(address, ipaddress.IPv6Address):  # forms that carry an address of version 4 inside
        inside = address.ipv4_mapped or address.sixtofour or (address.teredo or (None, None))[1]
        if address in _NAT64:
            inside = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if inside is not None:
            return _is_public(inside)
    return address.is_global and not address.is_multicast
