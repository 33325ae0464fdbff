"""TLS on one asyncio connection, by hand: asyncio's own drops the alert that says why a handshake failed."""

import asyncio
import ssl
from collections.abc import Callable
from typing import Protocol

READ_BYTES = 256 * 1024


class Session(Protocol):
    """What speaks over the wire once it is secure."""

    def opened(self, wire: "Wire") -> None: ...

    def received(self, data: bytes) -> None: ...

    def lost(self) -> None: ...


class Wire(asyncio.Protocol):
    def __init__(self, context: ssl.SSLContext, session: Callable[[], Session]) -> None:
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self._new_session = session
        self._session: Session | None = None

    @property
    def protocol(self) -> str | None:
        return self._tls.selected_alpn_protocol()

    @property
    def peer_certificate(self) -> bytes | None:
        return self._tls.getpeercert(binary_form=True)

    @property
    def closing(self) -> bool:
        return self._transport.is_closing()

    def write(self, data: bytes) -> None:
        if not self._transport.is_closing():
            self._tls.write(data)
            self._flush()

    def close(self) -> None:
        """Send what is written, then close."""
        self._transport.close()

    def abort(self) -> None:
        """Cut, without a word."""
        self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if isinstance(transport, asyncio.Transport):
            self._transport = transport

    def connection_lost(self, _error: Exception | None) -> None:
        if self._session is not None:
            self._session.lost()

    def data_received(self, data: bytes) -> None:
        self._incoming.write(data)
        if self._session is None and not self._shake_hands():
            return
        received = bytearray()
        ended = False
        try:
            while chunk := self._tls.read(READ_BYTES):
                received += chunk
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError:
            ended = True
        if received and self._session is not None:
            self._session.received(bytes(received))
        self._flush()
        if ended:
            self._transport.close()

    def _shake_hands(self) -> bool:
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            self._flush()
            return False
        except ssl.SSLError:
            self._flush()  # the alert
            self._transport.close()
            return False
        self._flush()
        self._session = self._new_session()
        self._session.opened(self)
        return not self._transport.is_closing()

    def _flush(self) -> None:
        if self._outgoing.pending and not self._transport.is_closing():
            self._transport.write(self._outgoing.read())
