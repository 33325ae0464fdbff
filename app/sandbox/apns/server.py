"""The APNs stand-in: HTTP/2 over TLS, strict where Apple is, and wrong where a script says so."""

import asyncio
import contextlib
import ssl
import threading
import time
from collections import deque
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.serialization import Encoding

from app.sandbox.apns import rules
from app.sandbox.apns.connection import Answered, ApnsConnection, pass_type_of
from app.sandbox.apns.faults import Fault, fits_handshake, fits_stream
from app.sandbox.apns.rules import Caller, Request, UnknownToken, Verdict
from app.sandbox.apns.wire import Wire
from app.sandbox.authority import PASS_TYPE_EXTENSION, Authority
from app.sandbox.hub import Hub, Listener, Push, Subscription
from app.sandbox.script import Script

HOST = "127.0.0.1"
RECORDS = 50_000


@dataclass(frozen=True, kw_only=True)
class ApnsRecord:
    """One request and what became of it; `status` 0 means it was never answered, `fault` says on whose order."""

    at: float
    token: str
    topic: str
    status: int
    reason: str
    apns_id: str
    push_type: str | None
    priority: str | None
    expiration: str | None
    collapse_id: str | None
    body: bytes
    bearer: bool
    connection: int
    stream: int
    fault: str


class ApnsStandIn:
    """Two TLS doors to one APNs: `url` demands a pass certificate, `token_url` also takes .p8 bearer tokens.

    The door with tokens starts each connection with one stream and allows more after the first success, as Apple does.
    """

    def __init__(self, authority: Authority, hub: Hub, clock: Callable[[], float] = time.time) -> None:
        self.hub = hub
        self.unknown_token = UnknownToken.REFUSE
        self.url = ""
        self.token_url = ""
        self.handshakes_refused = 0
        self.streams_over_limit = 0  # streams refused because the client opened more than SETTINGS allow
        self._authority = authority
        self._clock = clock
        self._script: Script[Fault] = Script()
        self._records: deque[ApnsRecord] = deque(maxlen=RECORDS)
        self._arrived = threading.Condition()
        self._count = 0
        self._limits = (1, 1000)
        self._revoked: set[bytes] = set()
        self._connections: set[ApnsConnection] = set()
        self._made = 0
        self._keys: rules.PushKeys | None = None
        self._teams: dict[str, str] = {}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="apns", daemon=True)
        self._servers: list[asyncio.Server] = []

    # What tests and operators use

    def script(self, *faults: Fault) -> None:
        """Add faults, used up in order; see Fault."""
        self._script.add(*faults)

    def clear_faults(self) -> None:
        """Behave well from now on."""
        self._script.clear()

    @property
    def scripted(self) -> list[Fault]:
        """The faults not used up yet."""
        return self._script.pending

    @property
    def requests(self) -> list[ApnsRecord]:
        """The last requests, oldest first."""
        with self._arrived:
            return list(self._records)

    @property
    def count(self) -> int:
        """Requests since the start or the last reset, also those no longer kept."""
        return self._count

    @property
    def connections(self) -> int:
        return len(self._connections)

    @property
    def connections_made(self) -> int:
        """Connections accepted since the start."""
        return self._made

    def wait_for(self, count: int, timeout_s: float = 5.0) -> list[ApnsRecord]:
        """The records once *count* requests came since the last reset; fewer if the time is over."""
        with self._arrived:
            self._arrived.wait_for(lambda: self._count >= count, timeout_s)
            return list(self._records)

    def limit_streams(self, limit: int, *, at_first: int | None = None) -> None:
        """Set SETTINGS_MAX_CONCURRENT_STREAMS, at once on open connections too.

        *at_first* holds on a connection until its first success: `limit_streams(500, at_first=1)`.
        """
        self._limits = (limit if at_first is None else at_first, limit)
        self._on_each(ApnsConnection.apply_stream_limit)

    def revoke(self, certificate: Path) -> None:
        """Refuse this client certificate (a PEM file) from the next connection on, with 403 BadCertificate."""
        self._revoked.add(x509.load_pem_x509_certificate(certificate.read_bytes()).public_bytes(Encoding.DER))

    def cut_connections(self) -> None:
        """Cut every open connection without a word."""
        self._on_each(ApnsConnection.cut)

    def reset(self) -> None:
        """Forget faults, revocations and records, and go back to the first settings. Tokens stay."""
        self._script.clear()
        self._revoked.clear()
        self.unknown_token = UnknownToken.REFUSE
        with self._arrived:
            self._records.clear()
            self._count = self.streams_over_limit = 0
        self.limit_streams(1000, at_first=1)

    def subscribe(self, token: str, on_push: Listener) -> Subscription:
        """Switch a phone on; see Hub.subscribe."""
        return self.hub.subscribe(token, on_push)

    def unsubscribe(self, token: str) -> None:
        """Retire a token: pushes to it are 410 from now on."""
        self.hub.unsubscribe(token)

    # Its life

    def start(self, port: int = 0, token_port: int = 0) -> None:
        """Raises OSError where a port is taken; may be called again then."""
        if not self._thread.is_alive():
            self._thread.start()
        try:
            self.url = self._run(self._listen(port, ssl.CERT_REQUIRED))
            self.token_url = self._run(self._listen(token_port, ssl.CERT_OPTIONAL))
        except OSError:
            self._run(self._close())
            raise

    def stop(self) -> None:
        if self._thread.is_alive():
            with contextlib.suppress(TimeoutError):
                self._run(self._close())
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(timeout=5)
        self._loop.close()

    # The post office, as the connections meet it (all on the APNs thread)

    def fault_for(self, token: str, streams_seen: int) -> Fault | None:
        return self._script.take(lambda one: fits_stream(one, token, streams_seen))

    def judge(self, request: Request, caller: Caller) -> Verdict:
        wrong = rules.form_fault(request) or rules.caller_fault(
            request, caller, self._push_keys, self._team_of, self._clock()
        )
        if wrong is not None:
            return wrong
        gone_at = self.hub.gone_at(request.token)
        if gone_at is None and not self.hub.knows(request.token):
            if self.unknown_token is UnknownToken.REFUSE:
                return Verdict(status=400, reason="BadDeviceToken")
            gone_at = self._clock() if self.unknown_token is UnknownToken.GONE else None
        if gone_at is not None:
            return Verdict(status=410, reason="Unregistered", timestamp_ms=int(gone_at * 1000))
        return Verdict(status=200, topic=request.headers.get("apns-topic") or caller.certificate_topic or "")

    def deliver(self, request: Request, verdict: Verdict, apns_id: str) -> None:
        expiration = request.headers.get("apns-expiration")
        self.hub.publish(
            Push(
                topic=verdict.topic,
                token=request.token,
                apns_id=apns_id,
                push_type=request.headers.get("apns-push-type"),
                priority=int(request.headers.get("apns-priority", "10")),
                expires_at=None if expiration is None else int(expiration),
                accepted_at=self._clock(),
            )
        )

    def record(self, request: Request, answer: Answered) -> None:
        headers = request.headers
        record = ApnsRecord(
            at=self._clock(),
            token=request.token,
            topic=answer.topic or headers.get("apns-topic", ""),
            status=answer.status,
            reason=answer.reason,
            apns_id=answer.apns_id,
            push_type=headers.get("apns-push-type"),
            priority=headers.get("apns-priority"),
            expiration=headers.get("apns-expiration"),
            collapse_id=headers.get("apns-collapse-id"),
            body=request.body,
            bearer="authorization" in headers,
            connection=answer.connection,
            stream=answer.stream,
            fault=answer.fault,
        )
        with self._arrived:
            self._records.append(record)
            self._count += 1
            self._arrived.notify_all()

    def joined(self, connection: ApnsConnection) -> None:
        self._connections.add(connection)

    def left(self, connection: ApnsConnection) -> None:
        self._connections.discard(connection)

    def over_limit(self) -> None:
        self.streams_over_limit += 1

    def stream_limit(self, *, proven: bool) -> int:
        return self._limits[1 if proven else 0]

    def caller_from(self, certificate: bytes | None) -> Caller:
        """The chain and the dates were checked in the handshake; here: is it a pass certificate of ours?"""
        if certificate is None:
            return Caller()
        if certificate in self._revoked:
            return Caller(certificate_fault="BadCertificate")
        leaf = x509.load_der_x509_certificate(certificate)
        pass_type = pass_type_of(leaf)
        try:
            leaf.verify_directly_issued_by(self._authority.wwdr)
            extension = leaf.extensions.get_extension_for_oid(PASS_TYPE_EXTENSION).value
        except (ValueError, TypeError, InvalidSignature, x509.ExtensionNotFound):
            return Caller(certificate_fault="BadCertificate")
        named = extension.value[2:].decode() if isinstance(extension, x509.UnrecognizedExtension) else ""
        if pass_type is None or not named.endswith(pass_type):
            return Caller(certificate_fault="BadCertificate")
        return Caller(certificate_topic=pass_type)

    def _push_keys(self) -> rules.PushKeys:
        if self._keys is None:
            self._keys = self._authority.push_keys()
        return self._keys

    def _team_of(self, pass_type: str) -> str | None:
        team = self._teams.get(pass_type) or self._authority.team_of(pass_type)
        if team is not None:
            self._teams[pass_type] = team
        return team

    def forget_credentials(self) -> None:
        """Read push keys and pass types anew, after the authority issued one."""
        self._keys = None
        self._teams.clear()

    async def _listen(self, port: int, mode: ssl.VerifyMode) -> str:
        context = self._tls(mode)
        server = await self._loop.create_server(lambda: Wire(context, self._new_connection), HOST, port, backlog=512)
        self._servers.append(server)
        return f"https://{HOST}:{server.sockets[0].getsockname()[1]}"

    def _new_connection(self) -> ApnsConnection:
        self._made += 1
        return ApnsConnection(self, self._made)

    def _tls(self, mode: ssl.VerifyMode) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(*self._authority.server_identity())
        context.load_verify_locations(self._authority.ca_file)
        context.load_verify_locations(self._authority.wwdr_file)  # clients send the leaf alone
        context.verify_mode = mode
        context.set_alpn_protocols(["h2"])
        context.sni_callback = self._on_hello
        return context

    def _on_hello(self, _socket: object, _name: str | None, _context: ssl.SSLContext) -> int | None:
        fault = self._script.take(fits_handshake)
        if fault is None:
            return None
        self.handshakes_refused += 1
        name = f"ALERT_DESCRIPTION_{fault.reason.upper()}"
        return int(getattr(ssl, name, ssl.ALERT_DESCRIPTION_HANDSHAKE_FAILURE))

    async def _close(self) -> None:
        for server in self._servers:
            server.close()
        for connection in list(self._connections):
            connection.cut()
        await asyncio.sleep(0)
        for server in self._servers:
            await server.wait_closed()
        self._servers.clear()

    def _run(self, step: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(step, self._loop).result(timeout=5)

    def _on_each(self, action: Callable[[ApnsConnection], None]) -> None:
        """Do *action* on the APNs thread for every open connection, and wait for it."""

        async def step() -> None:
            for connection in list(self._connections):
                action(connection)

        if self._thread.is_alive():
            self._run(step())
