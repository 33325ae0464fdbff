"""The way to APNs: TCP to whichever address answers first, through a proxy where the machine has one, and TLS."""

import base64
import contextlib
import os
import selectors
import socket
import ssl
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit

import certifi

from passes.apple.addresses import is_loopback

HTTPS_PORT = 443
NEXT_ADDRESS_AFTER_S = 0.25
KEEPALIVE_S = 60
PROXY_ANSWER_MAX = 16 * 1024

_Address = tuple[socket.AddressFamily, socket.SocketKind, int, str, Any]


@dataclass(frozen=True, kw_only=True)
class Access:
    """Where APNs is, and the certificate that speaks for the pass type; both PEMs are None where a token speaks."""

    url: str
    ca_file: Path | None = None
    chain_pem: bytes | None = None
    key_pem: bytes | None = None

    @property
    def authority(self) -> str:
        return urlsplit(self.url).netloc


class BadCredential(Exception):
    """Certificate and key do not belong together, or are none."""


class BadTrust(Exception):
    """The file of authorities to trust cannot be read."""


def dial(access: Access, context: ssl.SSLContext, *, deadline_s: float) -> ssl.SSLSocket:
    """A connection that is ready for HTTP/2, not blocking.

    Raises: OSError, of which `ssl.SSLError` says what was wrong with whose certificate.
    """
    until = time.monotonic() + deadline_s
    address = urlsplit(access.url)
    host = address.hostname or ""
    proxy = _proxy_for(address)
    plain = _connect(*(proxy or (host, address.port or HTTPS_PORT))[:2], until)
    try:
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        _keep_alive(plain)
        plain.settimeout(max(0.1, until - time.monotonic()))
        if proxy:
            _ask_proxy(plain, f"{host}:{address.port or HTTPS_PORT}", proxy[2])
        secured = context.wrap_socket(plain, server_hostname=host)
    except BaseException:
        plain.close()
        raise
    return secured


def tls_context(access: Access) -> ssl.SSLContext:
    """What we trust, and who we are.

    Raises: BadTrust; BadCredential.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["h2"])
    try:
        context.load_verify_locations(str(access.ca_file or system_trust()))
    except OSError as problem:
        raise BadTrust(f"{access.ca_file}: {problem}") from problem
    if access.chain_pem is not None and access.key_pem is not None:
        try:
            with _as_file(access.key_pem + b"\n" + access.chain_pem) as path:
                context.load_cert_chain(path)
        except OSError as problem:
            raise BadCredential(str(problem)) from problem
    return context


@cache
def system_trust() -> str:
    """The machine's own certificate authorities, or those that come with `requests` where the machine has none."""
    paths = ssl.get_default_verify_paths()
    return next((path for path in (paths.cafile, paths.openssl_cafile) if path and Path(path).is_file()), None) or str(
        certifi.where()
    )


@contextlib.contextmanager
def _as_file(secret: bytes) -> Iterator[str]:
    """OpenSSL reads keys from files alone: one in memory where the system has such, else one that only we can read."""
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("credential")
        try:
            os.write(descriptor, secret)
            yield f"/proc/self/fd/{descriptor}"
        finally:
            os.close(descriptor)
        return
    with tempfile.NamedTemporaryFile() as file:
        file.write(secret)
        file.flush()
        yield file.name


def _connect(host: str, port: int, until: float) -> socket.socket:
    """Addresses are tried with a quarter of a second between them, both families in turn: a dead one holds up nobody.

    Source: RFC 8305 (Happy Eyeballs).
    """
    waiting = _in_turn(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
    fault: OSError = TimeoutError(f"{host} did not answer in time")
    with selectors.DefaultSelector() as selector, contextlib.ExitStack() as unused:
        while time.monotonic() < until and (waiting or selector.get_map()):
            if waiting:
                family, kind, protocol, _, address = waiting.pop(0)
                try:
                    begun = socket.socket(family, kind, protocol)
                    unused.callback(begun.close)
                    begun.setblocking(False)
                    begun.connect_ex(address)
                    selector.register(begun, selectors.EVENT_WRITE)
                except OSError as problem:
                    fault = problem
                    continue
            wait_s = until - time.monotonic()
            for key, _ in selector.select(min(wait_s, NEXT_ADDRESS_AFTER_S) if waiting else wait_s):
                found = key.fileobj
                if not isinstance(found, socket.socket):
                    continue
                number = found.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                if number == 0:
                    return socket.socket(fileno=os.dup(found.fileno()))
                selector.unregister(found)
                fault = OSError(number, os.strerror(number))
    raise fault


def _in_turn(found: Sequence[_Address]) -> list[_Address]:
    families: dict[socket.AddressFamily, list[_Address]] = {}
    for one in found:
        families.setdefault(one[0], []).append(one)
    longest = max(len(one) for one in families.values())
    return [one[at] for at in range(longest) for one in families.values() if at < len(one)]


def _keep_alive(plain: socket.socket) -> None:
    plain.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    if hasattr(socket, "TCP_KEEPIDLE"):
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, KEEPALIVE_S)


def _proxy_for(address: SplitResult) -> tuple[str, int, str] | None:
    """Host, port and credentials of the proxy that the environment names for https, unless it excepts this host."""
    url = urllib.request.getproxies().get("https")
    if not url or is_loopback(address) or urllib.request.proxy_bypass(address.hostname or ""):
        return None
    proxy = urlsplit(url if "//" in url else f"//{url}")
    login = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}" if proxy.username else ""
    return proxy.hostname or "", proxy.port or 8080, login


def _ask_proxy(plain: socket.socket, to: str, login: str) -> None:
    asked = f"CONNECT {to} HTTP/1.1\r\nHost: {to}\r\n"
    if login:
        asked += f"Proxy-Authorization: Basic {base64.b64encode(login.encode()).decode()}\r\n"
    plain.sendall(asked.encode() + b"\r\n")
    answer = b""
    while b"\r\n\r\n" not in answer:
        more = plain.recv(1)  # what follows the answer belongs to TLS
        if not more or len(answer) > PROXY_ANSWER_MAX:
            raise ConnectionError("the proxy closed the connection")
        answer += more
    status = answer.split(None, 2)[1:2]
    if status != [b"200"]:
        raise ConnectionError(f"the proxy refused the way to {to}: {answer.splitlines()[0].decode(errors='replace')}")
