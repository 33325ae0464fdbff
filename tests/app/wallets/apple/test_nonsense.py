"""What is not APNs, in APNs' place: each kind has a name, and the operator reads what to do about it."""

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest

from app.sandbox.apns.faults import Fault, FaultKind
from app.sandbox.sandbox import Sandbox
from app.wallets.apple.batches import Wake, Woken
from app.wallets.apple.client import ApnsClient
from app.wallets.apple.dial import Access
from passes.outcome import Outcome
from tests.app.wallets.apple.conftest import PASS_TYPE

DEADLINE_S = 1.0
SETTINGS = bytes.fromhex("000000040000000000")
ACCEPTED = bytes.fromhex("0000010104 00000001 88")  # HEADERS of stream 1, not its end: `:status: 200`
PREFACE_BYTES, HEADERS = 24, 1
PAGE = b"<html>Sign in to this network</html>"
DATA = len(PAGE).to_bytes(3) + bytes.fromhex("0001 00000001") + PAGE

Speech = Callable[[socket.socket], None]


def page_over_http2(stream: socket.socket) -> None:
    stream.sendall(SETTINGS)
    received = stream.recv(65_536)
    while not _has_request(received[PREFACE_BYTES:]):
        received += stream.recv(65_536)
    stream.sendall(ACCEPTED + DATA)
    silence(stream)


def _has_request(frames: bytes) -> bool:
    while len(frames) > 9:
        if frames[3] == HEADERS:
            return True
        frames = frames[9 + int.from_bytes(frames[:3]) :]
    return False


def garbage(stream: socket.socket) -> None:
    stream.recv(65_536)
    stream.sendall(b"\xde\xad\xbe\xef" * 100)
    silence(stream)


def http1(stream: socket.socket) -> None:
    stream.recv(65_536)
    stream.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
    silence(stream)


def hangs_up(stream: socket.socket) -> None:
    stream.recv(65_536)


def silence(stream: socket.socket) -> None:
    while stream.recv(65_536):
        continue


@contextmanager
def impostor(sandbox: Sandbox, speech: Speech, *, tls: bool = True, alpn: str | None = "h2") -> Iterator[str]:
    """A server with a trusted certificate that speaks as it likes."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*sandbox.authority.server_identity())
    if alpn:
        context.set_alpn_protocols([alpn])

    def serve(listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                taken, _ = listener.accept()
                threading.Thread(target=answer, args=(taken,), daemon=True).start()

    def answer(taken: socket.socket) -> None:
        with suppress(OSError), taken:
            taken.settimeout(5)
            if not tls:
                speech(taken)
                return
            with context.wrap_socket(taken, server_side=True) as stream:
                speech(stream)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=serve, args=(listener,), daemon=True).start()
        yield f"https://127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)


def told(sandbox: Sandbox, url: str) -> Woken:
    client = ApnsClient(Access(url=url, ca_file=sandbox.ca_file), deadline_s=DEADLINE_S)
    (result,) = client.send([Wake("ab" * 32)], topic=PASS_TYPE)
    client.close()
    assert result is not None
    return result


@pytest.mark.parametrize(
    ("speech", "tls", "alpn", "reason", "words"),
    [
        (page_over_http2, True, "h2", "NotApns", "answered 200 with 36 bytes"),
        (garbage, True, "h2", "NotApns", "does not speak HTTP/2 as APNs does"),
        (http1, True, None, "NotApns", "does not speak HTTP/2 as APNs does"),
        (http1, True, "http/1.1", "NotApns", "does not speak HTTP/2 as APNs does"),
        (http1, False, None, "NotApns", "is there a proxy between?"),
        (hangs_up, True, "h2", "ConnectionLost", ""),
        (hangs_up, False, None, "ConnectionLost", ""),
        (silence, True, "h2", "Timeout", "timed out"),
        (silence, False, None, "Timeout", "timed out"),
    ],
    ids=[
        "HTML over HTTP/2", "garbage frames", "HTTP/1.1", "HTTP/1.1 by agreement", "no TLS", "hangs up",
        "hangs up before TLS", "never answers", "never shakes hands",
    ],
)  # fmt: skip
def test_an_impostor_is_named_and_tried_again_later(
    speech: Speech, tls: bool, alpn: str | None, reason: str, words: str, sandbox: Sandbox
) -> None:
    with impostor(sandbox, speech, tls=tls, alpn=alpn) as url:
        result = told(sandbox, url)

    assert (result.answer.outcome, result.answer.reason, result.answer.status) == (Outcome.TRY_AGAIN, reason, 0)
    assert words in result.detail


@pytest.mark.parametrize("status", [200, 301, 403, 404, 410, 502])
def test_an_error_without_apns_reason_deletes_nothing_and_stops_nothing_for_ever(status: int, sandbox: Sandbox) -> None:
    folder = sandbox.folder / "passes" / PASS_TYPE
    access = Access(
        url=sandbox.apns_url,
        ca_file=sandbox.ca_file,
        chain_pem=(folder / "certificate.pem").read_bytes(),
        key_pem=(folder / "key.pem").read_bytes(),
    )
    sandbox.hub.register("ab" * 32)
    sandbox.apns.script(Fault(kind=FaultKind.ANSWER, status=status, reason=""))
    client = ApnsClient(access, deadline_s=DEADLINE_S)

    (result,) = client.send([Wake("ab" * 32)], topic=PASS_TYPE)
    client.close()

    assert result is not None
    expected = Outcome.DELIVERED if status == 200 else Outcome.TRY_AGAIN
    assert result.answer.outcome is expected
    if status != 200:
        assert f"answered {status} with 0 bytes" in result.detail
