"""A bare HTTP/2 server over TLS that takes every push: nginx where there is one, or a small one of our own.

Our own judges nothing: it reads frames, and answers every ended stream with ten fixed bytes (`:status: 200`).
"""

import shutil
import socket
import ssl
import struct
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

STREAMS = 1000
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, SETTINGS, PING, WINDOW_UPDATE = 0, 1, 4, 6, 8
END_STREAM, ACK = 1, 1
ROOM = 1 << 30

NGINX = """
daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/error.log crit;
events {{ worker_connections 64; }}
http {{
  access_log off; keepalive_requests 1000000000; http2_max_concurrent_streams {streams};
  client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};
  uwsgi_temp_path {folder}; scgi_temp_path {folder};
  server {{
    listen 127.0.0.1:{port} ssl http2; ssl_certificate {certificate}; ssl_certificate_key {key};
    location / {{ return 200; }}
  }}
  server {{ listen 127.0.0.1:{status_port}; location / {{ stub_status; }} }}
}}
"""


@dataclass(kw_only=True)
class Server:
    """A running server."""

    name: str
    port: int
    status_port: int
    _asked: int = 0

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    def connections(self) -> int:
        """Connections taken since the last question, each question being one itself."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.status_port}/", timeout=5) as answer:
            accepted = int(answer.read().split(b"requests")[1].split()[0])
        since, self._asked = accepted - self._asked - 1, accepted
        return since


@contextmanager
def running(folder: Path, certificate: Path, key: Path) -> Iterator[Server]:
    """A server with this identity, in a process of its own."""
    port, status_port = _free_port(), _free_port()
    nginx = shutil.which("nginx")
    if nginx:
        configuration = folder / "nginx.conf"
        configuration.write_text(
            NGINX.format(
                folder=folder, streams=STREAMS, port=port, status_port=status_port, certificate=certificate, key=key
            )
        )
        command, name = [nginx, "-c", str(configuration), "-p", str(folder)], "nginx"
    else:
        arguments = [str(port), str(status_port), str(certificate), str(key)]
        command, name = [sys.executable, "-m", "tests.bench.h2_server", *arguments], "our bare server (no nginx here)"
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        _wait_for(port, process)
        _wait_for(status_port, process)
        yield Server(name=name, port=port, status_port=status_port)
    finally:
        process.terminate()
        process.wait(10)


def _free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_for(port: int, process: "subprocess.Popen[bytes]") -> None:
    for _ in range(100):
        if process.poll() is not None:
            break
        with closing(socket.socket()) as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise SystemExit("the HTTP/2 server did not start")


class _Bare:
    """Our own server: a thread for each connection."""

    def __init__(self, certificate: str, key: str) -> None:
        self.accepted = 0
        self._tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self._tls.load_cert_chain(certificate, key)
        self._tls.set_alpn_protocols(["h2"])

    def serve(self, port: int) -> None:
        with socket.create_server(("127.0.0.1", port)) as listener:
            while True:
                taken, _ = listener.accept()
                self.accepted += 1
                taken.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                threading.Thread(target=self._speak, args=(taken,), daemon=True).start()

    def tell(self, port: int) -> None:
        with socket.create_server(("127.0.0.1", port)) as listener:
            while True:
                taken, _ = listener.accept()
                self.accepted += 1
                with taken:
                    taken.recv(4096)
                    taken.sendall(b"HTTP/1.0 200 OK\r\n\r\nserver accepts handled requests\n %d " % self.accepted)

    def _speak(self, taken: socket.socket) -> None:
        try:
            with self._tls.wrap_socket(taken, server_side=True) as stream:
                self._answer(stream)
        except (OSError, ValueError):
            return

    def _answer(self, stream: ssl.SSLSocket) -> None:
        limit = _frame(SETTINGS, 0, 0, struct.pack("!HIHI", 3, STREAMS, 4, ROOM))
        stream.sendall(limit + _frame(WINDOW_UPDATE, 0, 0, struct.pack("!I", ROOM)))
        rest, given = b"", 0
        while len(rest) < len(PREFACE):
            rest += stream.recv(65_536)
        rest = rest[len(PREFACE) :]
        while True:
            answers, rest, taken = _answers(rest)
            given += taken
            if given > ROOM // 2:
                answers += _frame(WINDOW_UPDATE, 0, 0, struct.pack("!I", given))
                given = 0
            if answers:
                stream.sendall(answers)
            more = stream.recv(262_144)
            if not more:
                return
            rest += more


def _answers(received: bytes) -> tuple[bytes, bytes, int]:
    """What to say to the whole frames of *received*; the rest; how many bytes of bodies there were."""
    said, at, taken = [], 0, 0
    while len(received) - at >= 9:
        size = int.from_bytes(received[at : at + 3])
        kind, flags, stream = received[at + 3], received[at + 4], received[at + 5 : at + 9]
        end = at + 9 + size
        if end > len(received):
            break
        if kind in (DATA, HEADERS):
            taken += size if kind == DATA else 0
            if flags & END_STREAM:
                said.append(b"\x00\x00\x01\x01\x05" + stream + b"\x88")
        elif kind in (SETTINGS, PING) and not flags & ACK:
            said.append(_frame(kind, ACK, 0, received[at + 9 : end] if kind == PING else b""))
        at = end
    return b"".join(said), received[at:], taken


def _frame(kind: int, flags: int, stream: int, body: bytes) -> bytes:
    return struct.pack("!I", len(body))[1:] + bytes((kind, flags)) + struct.pack("!I", stream) + body


def main() -> None:
    port, status_port, certificate, key = sys.argv[1:]
    server = _Bare(certificate, key)
    threading.Thread(target=server.tell, args=(int(status_port),), daemon=True).start()
    server.serve(int(port))


if __name__ == "__main__":
    main()
