"""Which addresses a webhook may go to: public ones over https, and neighbours that the operator named.

An address comes from a customer of the installation, and what it leads to is decided by whoever runs its name servers.
So the name is resolved here, every answer is judged, and the connection is made to exactly what was judged.
"""

import ipaddress
import re
import socket
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

LONGEST_URL = 2000
LONGEST_HOST = 253
HTTPS_PORT = 443
HTTP_PORT = 80
HOST = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,62}[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]{0,62}[a-z0-9_])?)*\.?")
NUMERIC = re.compile(r"(.*\.)?(0x[0-9a-f]*|[0-9]+)\.?")  # what libraries read as a number though it is no dotted quad

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolver = Callable[[str, int], Sequence[str]]

REFUSALS = {
    "malformed": "Write the whole address, such as https://shop.example.com/hooks/tessera.",
    "not_https": "Webhooks go over https only. Give an address that starts with https://.",
    "port": "Webhooks go to port 443 only. Leave the port out.",
    "credentials": "Leave user name and password out of the address; the signature proves who calls.",
    "numeric": "Write the host as a name, or as a plain IP address such as 192.0.2.1.",
    "unresolved": "This host name leads nowhere. Check it for a typing mistake.",
    "loopback": "This address leads to the machine that Tessera runs on. Webhooks go to public addresses only.",
    "private": "This address leads into a private network. Webhooks go to public addresses only.",
    "link_local": "This address leads to a link-local or metadata service. Webhooks go to public addresses only.",
    "shared": "This address leads into a carrier's shared range (CGNAT). Webhooks go to public addresses only.",
    "multicast": "This address leads to a group of machines (multicast). Webhooks go to public addresses only.",
    "embedded": "This IPv6 address hides an IPv4 address. Give the IPv4 address itself.",
    "reserved": "This address lies in a reserved range. Webhooks go to public addresses only.",
}

# IANA's registries of special-purpose addresses; first match wins. Metadata services stand first, wherever they lie.
IPV4 = tuple(
    (ipaddress.IPv4Network(network), code)
    for network, code in (
        ("100.100.100.200/32", "link_local"),
        ("168.63.129.16/32", "link_local"),
        ("192.0.0.192/32", "link_local"),
        ("169.254.0.0/16", "link_local"),
        ("127.0.0.0/8", "loopback"),
        ("10.0.0.0/8", "private"),
        ("172.16.0.0/12", "private"),
        ("192.168.0.0/16", "private"),
        ("100.64.0.0/10", "shared"),
        ("224.0.0.0/4", "multicast"),
        ("0.0.0.0/8", "reserved"),
        ("192.0.0.0/24", "reserved"),
        ("192.0.2.0/24", "reserved"),
        ("192.31.196.0/24", "reserved"),
        ("192.52.193.0/24", "reserved"),
        ("192.88.99.0/24", "reserved"),
        ("192.175.48.0/24", "reserved"),
        ("198.18.0.0/15", "reserved"),
        ("198.51.100.0/24", "reserved"),
        ("203.0.113.0/24", "reserved"),
        ("240.0.0.0/4", "reserved"),
    )
)
IPV6 = tuple(
    (ipaddress.IPv6Network(network), code)
    for network, code in (
        ("fd00:ec2::254/128", "link_local"),
        ("fd20:ce::254/128", "link_local"),
        ("fe80::/10", "link_local"),
        ("::1/128", "loopback"),
        ("::/128", "reserved"),
        ("::ffff:0:0/96", "embedded"),
        ("::/96", "embedded"),
        ("64:ff9b::/96", "embedded"),
        ("64:ff9b:1::/48", "embedded"),
        ("2002::/16", "embedded"),
        ("2001::/32", "embedded"),
        ("fc00::/7", "private"),
        ("fec0::/10", "private"),
        ("ff00::/8", "multicast"),
        ("2001::/23", "reserved"),
        ("2001:db8::/32", "reserved"),
        ("2620:4f:8000::/48", "reserved"),
        ("3fff::/20", "reserved"),
    )
)
GLOBAL_IPV6 = ipaddress.IPv6Network("2000::/3")
NEIGHBOURLY = {"loopback", "private", "shared"}  # what a name in TESSERA_WEBHOOK_ALLOW opens; the rest stays shut


class Refused(Exception):
    """A webhook may not go there; the code is a key of `REFUSALS`."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True, kw_only=True)
class Destination:
    """Where a webhook goes: the name is for TLS, the addresses are the only ones to connect to."""

    url: str
    host: str
    port: int
    addresses: tuple[str, ...]


def system_resolver(host: str, port: int) -> Sequence[str]:
    """The addresses of a host as this machine knows them, in the order in which they should be tried.

    Raises: OSError, if there are none.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
    return list(dict.fromkeys(str(one[4][0]) for one in found))


def destination(url: str, *, allowed: Collection[str], resolve: Resolver) -> Destination:
    """Resolve the address of a webhook, once, and judge everything it leads to.

    Args:
        allowed: `host:port` of neighbours that may be private, speak plain http and listen on another port.

    Raises: Refused.
    """
    scheme, host, port = _parts(url)
    is_neighbour = f"{host}:{port}" in allowed
    if not is_neighbour and scheme != "https":
        raise Refused("not_https")
    if not is_neighbour and port != HTTPS_PORT:
        raise Refused("port")
    try:
        found = [ipaddress.ip_address(one) for one in ([host] if _is_address(host) else resolve(host, port))]
    except (OSError, UnicodeError, ValueError):
        found = []
    if not found:
        raise Refused("unresolved")
    for address in found:
        code = refusal(address)
        if code and not (is_neighbour and code in NEIGHBOURLY):
            raise Refused(code)
    return Destination(url=url, host=host, port=port, addresses=tuple(str(one) for one in found))


def refusal(address: Address) -> str | None:
    """Why nothing may be sent to this address, as a key of `REFUSALS`; None for a public one."""
    if isinstance(address, ipaddress.IPv4Address):
        return next((code for network, code in IPV4 if address in network), None)
    if address.scope_id is not None:
        return "link_local"
    code = next((code for network, code in IPV6 if address in network), None)
    return code or (None if address in GLOBAL_IPV6 else "reserved")


def _parts(url: str) -> tuple[str, str, int]:
    """Scheme, host in small letters and port. Raises: Refused."""
    if len(url) > LONGEST_URL or not url.isascii() or not url.isprintable() or set(url) & set(' \\"<>^`{|}'):
        raise Refused("malformed")
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or "").lower(), parts.port
    except ValueError:
        raise Refused("malformed") from None
    if parts.scheme not in {"http", "https"}:
        raise Refused("not_https" if "://" in url else "malformed")
    if "@" in parts.netloc:
        raise Refused("credentials")
    if _is_address(host):
        host = str(ipaddress.ip_address(host))  # 0:0::1 is ::1
    else:
        if not HOST.fullmatch(host) or len(host) > LONGEST_HOST:
            raise Refused("malformed")
        if NUMERIC.fullmatch(host):
            raise Refused("numeric")
    if parts.fragment or port == 0:
        raise Refused("malformed")
    return parts.scheme, host, port or (HTTPS_PORT if parts.scheme == "https" else HTTP_PORT)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
