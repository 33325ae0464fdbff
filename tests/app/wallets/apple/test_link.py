"""What HTTP/2 allows a server to do, and what a network may put in the way."""

import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest
from hpack import Encoder

from app.sandbox.sandbox import Sandbox
from app.wallets.apple.batches import Wake, Woken
from app.wallets.apple.client import ApnsClient
from app.wallets.apple.dial import Access
from app.wallets.apple.frames import HEAD_BYTES, PREFACE, Kind, frame
from passes.outcome import Outcome
from tests.app.wallets.apple.conftest import PASS_TYPE
from tests.app.wallets.apple.test_nonsense import Speech, impostor, silence

DEADLINE_S = 20.0
OK = b"\x88"
END_STREAM, END_HEADERS, PADDED, ACK = 1, 4, 8, 1
MAX_STREAMS, INITIAL_WINDOW = 3, 4


class Peer:
    """The server's end of a connection, frame by frame."""

    def __init__(self, stream: socket.socket, settings: bytes = b"") -> None:
        self._stream = stream
        self._rest = b""
        self.say(frame(Kind.SETTINGS, settings))
        self._take(len(PREFACE))

    def say(self, *frames: bytes) -> None:
        self._stream.sendall(b"".join(frames))

    def frames(self) -> Iterator[tuple[int, int, int, bytes]]:
        """Kind, flags, stream and body of each frame, until the client hangs up."""
        with suppress(ConnectionError):
            while True:
                head = self._take(HEAD_BYTES)
                body = self._take(int.from_bytes(head[:3]))
                if head[3] == Kind.SETTINGS and not head[4] & ACK:
                    self.say(frame(Kind.SETTINGS, flags=ACK))
                yield head[3], head[4], int.from_bytes(head[5:9]), body

    def requests(self) -> Iterator[int]:
        """The stream of each push that is there as a whole."""
        return (stream for kind, flags, stream, _ in self.frames() if kind == Kind.DATA and flags & END_STREAM)

    def _take(self, count: int) -> bytes:
        while len(self._rest) < count:
            more = self._stream.recv(65_536)
            if not more:
                raise ConnectionError
            self._rest += more
        taken, self._rest = self._rest[:count], self._rest[count:]
        return taken


def accept(stream: int) -> bytes:
    return frame(Kind.HEADERS, OK, flags=END_STREAM | END_HEADERS, stream=stream)


def push(sandbox: Sandbox, speech: Speech, count: int = 1, **options: float) -> list[Woken | None]:
    with impostor(sandbox, speech) as url:
        client = ApnsClient(Access(url=url, ca_file=sandbox.ca_file), **{"deadline_s": DEADLINE_S, **options})
        woken = client.send([Wake(f"{at:064x}") for at in range(count)], topic=PASS_TYPE)
        client.close()
    return woken


def delivered(woken: list[Woken | None]) -> int:
    return sum(1 for one in woken if one and one.answer.outcome is Outcome.DELIVERED)


def test_the_longest_push_token_arrives_whole(sandbox: Sandbox) -> None:
    heard: list[bytes] = []

    def speech(stream: socket.socket) -> None:
        peer = Peer(stream)
        for kind, flags, number, body in peer.frames():
            heard.append(body if kind == Kind.HEADERS else b"")
            if kind == Kind.DATA and flags & END_STREAM:
                peer.say(accept(number))

    token = "ef" * 100
    with impostor(sandbox, speech) as url:
        client = ApnsClient(Access(url=url, ca_file=sandbox.ca_file), deadline_s=DEADLINE_S)
        woken = client.send([Wake(token)], topic=PASS_TYPE)
        client.close()

    assert delivered(woken) == 1
    assert any(token.encode() in one for one in heard)


def test_answers_may_be_padded_split_and_compressed(sandbox: Sandbox) -> None:
    def speech(stream: socket.socket) -> None:
        peer = Peer(stream)
        encoder = Encoder()
        encoder.header_table_size = 0
        for number in peer.requests():
            block = encoder.encode([(":status", "410"), ("content-type", "application/json")])
            body = b'{"reason":"Unregistered"}'
            peer.say(
                frame(Kind.HEADERS, bytes((2,)) + block[:3] + bytes(2), flags=PADDED, stream=number),
                frame(Kind.CONTINUATION, block[3:], flags=END_HEADERS, stream=number),
                frame(Kind.DATA, bytes((3,)) + body[:9] + bytes(3), flags=PADDED, stream=number),
                frame(0xBE, b"a kind of frame that nobody knows", stream=number),
                frame(Kind.DATA, body[9:], flags=END_STREAM, stream=number),
            )

    (woken,) = push(sandbox, speech)

    assert woken is not None
    assert (woken.answer.outcome, woken.answer.reason) == (Outcome.GONE, "Unregistered")


def test_the_servers_limit_is_obeyed_from_the_first_stream_on(sandbox: Sandbox) -> None:
    most = [0]

    def speech(stream: socket.socket) -> None:
        peer = Peer(stream, struct.pack("!HI", MAX_STREAMS, 4))
        waiting: list[int] = []
        for number in peer.requests():
            waiting.append(number)
            most[0] = max(most[0], len(waiting))
            if len(waiting) == 4:
                time.sleep(0.02)
                peer.say(*(accept(one) for one in waiting))
                waiting.clear()

    woken = push(sandbox, speech, 40)

    assert delivered(woken) == 40
    assert most == [4]


def test_a_window_of_the_connection_that_is_used_up_is_waited_for(sandbox: Sandbox) -> None:
    """65,535 bytes are granted at first: more pushes than that must wait for WINDOW_UPDATE."""
    taken = [0]

    def speech(stream: socket.socket) -> None:
        peer = Peer(stream)
        for number in peer.requests():
            taken[0] += 1
            peer.say(accept(number))
            if taken[0] == 32_767:
                peer.say(frame(Kind.WINDOW_UPDATE, (1 << 20).to_bytes(4)))

    woken = push(sandbox, speech, 33_000)

    assert delivered(woken) == 33_000


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (frame(Kind.SETTINGS, struct.pack("!HI", INITIAL_WINDOW, 0)), "a window that no push fits in"),
        (frame(Kind.SETTINGS, b"12345"), "a SETTINGS frame of a wrong length"),
        (frame(Kind.PUSH_PROMISE, bytes(8), flags=END_HEADERS, stream=1), "did not allow"),
        (frame(Kind.CONTINUATION, OK, flags=END_HEADERS, stream=1), "CONTINUATION of no header block"),
        (frame(Kind.HEADERS, b"\xff\xff\xff\xff\xff\xff", flags=END_HEADERS, stream=1), "cannot be read"),
        (frame(Kind.HEADERS, b"\x09", flags=PADDED | END_HEADERS, stream=1), "more padding than bytes"),
        (frame(Kind.HEADERS, OK, stream=1) + frame(Kind.PING, bytes(8)), "was interrupted"),
        (frame(Kind.RST_STREAM, b"1", stream=1), "too short"),
        (frame(Kind.WINDOW_UPDATE, b"\x7f\xff\xff\xff"), "larger than HTTP/2 knows"),
    ],
    ids=lambda one: one if isinstance(one, str) else "",
)
def test_a_server_that_breaks_the_rules_is_named(said: bytes, words: str, sandbox: Sandbox) -> None:
    def speech(stream: socket.socket) -> None:
        peer = Peer(stream)
        for _ in peer.requests():
            peer.say(said)

    (woken,) = push(sandbox, speech)

    assert woken is not None
    assert (woken.answer.outcome, woken.answer.reason) == (Outcome.TRY_AGAIN, "NotApns")
    assert words in woken.detail


def test_a_stream_that_is_reset_is_worth_another_try(sandbox: Sandbox) -> None:
    def speech(stream: socket.socket) -> None:
        peer = Peer(stream)
        for number in peer.requests():
            peer.say(frame(Kind.RST_STREAM, (2).to_bytes(4), stream=number))

    (woken,) = push(sandbox, speech)

    assert woken is not None
    assert (woken.answer.outcome, woken.answer.reason) == (Outcome.TRY_AGAIN, "ConnectionLost")
    assert "reset the stream (code 2)" in woken.detail


def test_what_goaway_left_undone_is_sent_on_the_next_connection_and_the_rest_is_waited_for(sandbox: Sandbox) -> None:
    connections: list[list[int]] = []

    def speech(stream: socket.socket) -> None:
        peer = Peer(stream)
        mine: list[int] = []
        connections.append(mine)
        is_first = len(connections) == 1
        for number in peer.requests():
            mine.append(number)
            if is_first and len(mine) == 10:
                peer.say(frame(Kind.GOAWAY, (9).to_bytes(4) + bytes(4)))
                time.sleep(0.2)
                peer.say(*(accept(one) for one in mine if one <= 9))
            elif not is_first:
                peer.say(accept(number))

    woken = push(sandbox, speech, 10)

    assert delivered(woken) == 10
    assert [len(one) for one in connections] == [10, 5]


def test_a_silence_is_asked_for_a_sign_of_life_and_a_dead_connection_replaced(sandbox: Sandbox) -> None:
    pings: list[int] = []
    connections: list[Peer] = []

    def speech(stream: socket.socket) -> None:
        peer = Peer(stream)
        connections.append(peer)
        for kind, flags, number, body in peer.frames():
            if kind == Kind.DATA and flags & END_STREAM:
                peer.say(accept(number))
            elif kind == Kind.PING:
                pings.append(len(connections))
                if len(pings) == 1:  # the first one is answered, and then none
                    peer.say(frame(Kind.PING, body, flags=ACK))

    with impostor(sandbox, speech) as url:
        client = ApnsClient(Access(url=url, ca_file=sandbox.ca_file), deadline_s=0.5, ping_after_s=0.2)
        first = client.send([Wake("ab" * 32)], topic=PASS_TYPE)
        until = time.monotonic() + 10
        while len(pings) < 2 and time.monotonic() < until:
            time.sleep(0.01)
        time.sleep(0.7)
        second = client.send([Wake("ab" * 32)], topic=PASS_TYPE)
        client.close()

    assert delivered(first + second) == 2
    assert pings[:2] == [1, 1]
    assert len(connections) == 2


def test_an_address_that_refuses_gives_way_to_the_next(sandbox: Sandbox) -> None:
    """`localhost` is two addresses on most machines, and the stand-in listens on one of them."""

    def speech(stream: socket.socket) -> None:
        peer = Peer(stream)
        for number in peer.requests():
            peer.say(accept(number))

    with impostor(sandbox, speech) as url:
        access = Access(url=url.replace("127.0.0.1", "localhost"), ca_file=sandbox.ca_file)
        client = ApnsClient(access, deadline_s=DEADLINE_S)
        woken = client.send([Wake("ab" * 32)], topic=PASS_TYPE)
        client.close()

    assert delivered(woken) == 1


@contextmanager
def proxy(answer: Callable[[socket.socket, bytes], None]) -> Iterator[tuple[str, list[bytes]]]:
    """A proxy that takes one request."""
    asked: list[bytes] = []

    def serve(listener: socket.socket) -> None:
        with suppress(OSError):
            taken, _ = listener.accept()
            with taken:
                asked.append(taken.recv(4096))
                answer(taken, asked[0])

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, args=(listener,), daemon=True)
        thread.start()
        yield f"http://till:s%2Fecret@127.0.0.1:{listener.getsockname()[1]}", asked
        thread.join(5)


def test_a_proxy_of_the_machine_is_asked_for_the_way(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(taken: socket.socket, _asked: bytes) -> None:
        taken.sendall(b"HTTP/1.1 403 Not from here\r\n\r\n")
        silence(taken)

    with proxy(refuse) as (url, asked):
        monkeypatch.setenv("HTTPS_PROXY", url)
        client = ApnsClient(
            Access(url="https://apns.example.test:2197", ca_file=sandbox.ca_file), deadline_s=DEADLINE_S
        )
        (woken,) = client.send([Wake("ab" * 32)], topic=PASS_TYPE)
        client.close()

    assert asked[0].startswith(b"CONNECT apns.example.test:2197 HTTP/1.1\r\n")
    assert b"Proxy-Authorization: Basic dGlsbDpzL2VjcmV0\r\n" in asked[0]
    assert woken is not None
    assert woken.answer.outcome is Outcome.TRY_AGAIN
    assert "the proxy refused the way to apns.example.test:2197: HTTP/1.1 403 Not from here" in woken.detail


def test_tls_goes_through_the_proxy_to_the_far_end(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """The far end is the stand-in, whose certificate is for another name: that it is refused shows who was met."""

    def join(taken: socket.socket, _asked: bytes) -> None:
        port = int(sandbox.apns_url.rpartition(":")[2])
        taken.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        with socket.create_connection(("127.0.0.1", port)) as far:
            far.sendall(taken.recv(65_536))
            taken.sendall(far.recv(65_536))
            silence(taken)

    with proxy(join) as (url, _):
        monkeypatch.setenv("HTTPS_PROXY", url)
        client = ApnsClient(Access(url="https://apns.example.test", ca_file=sandbox.ca_file), deadline_s=DEADLINE_S)
        (woken,) = client.send([Wake("ab" * 32)], topic=PASS_TYPE)
        client.close()

    assert woken is not None
    assert woken.answer.reason == "ServerNotTrusted"
    assert "apns.example.test" in woken.detail
