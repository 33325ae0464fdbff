"""A threaded HTTP server on the loopback for a WSGI application, one request a connection; stops at once."""

import contextlib
import socket
import threading
from typing import Any, ClassVar
from wsgiref.types import WSGIApplication

from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

HOST = "127.0.0.1"


class _Handler(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # header and body are two writes: with Nagle each answer waits 40 ms
    server_version = "sandbox"
    live: ClassVar[dict[int, socket.socket]]

    def log(self, type: str, message: str, *args: Any) -> None:
        """Stay quiet: the stand-ins keep their own records."""

    def setup(self) -> None:
        super().setup()
        self.live[id(self.connection)] = self.connection

    def finish(self) -> None:
        self.live.pop(id(self.connection), None)
        with contextlib.suppress(OSError):
            super().finish()


class LocalServer:
    """Serves from `start()` to `stop()`. Port 0 takes a free one; `url` says which."""

    def __init__(self, application: WSGIApplication, port: int = 0) -> None:
        self._live: dict[int, socket.socket] = {}
        handler = type("Handler", (_Handler,), {"live": self._live})
        # Bound here, because werkzeug ends the whole process when the port is taken.
        with socket.create_server((HOST, port), backlog=512) as bound:
            self._server: BaseWSGIServer = make_server(
                HOST,
                bound.getsockname()[1],
                application,
                threaded=True,
                request_handler=handler,
                fd=bound.fileno(),
            )
        self.port: int = self._server.port
        self.url = f"http://{HOST}:{self.port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        for connection in list(self._live.values()):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self._thread.join(timeout=5)
