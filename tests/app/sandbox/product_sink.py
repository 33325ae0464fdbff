"""A product that only listens: keeps the callbacks it is sent and answers as told."""

import queue
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from werkzeug.wrappers import Request, Response

from app.sandbox.http_server import LocalServer

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment


class Sink:
    def __init__(self) -> None:
        self.bodies: queue.Queue[bytes] = queue.Queue()
        self.answers: list[int] = []
        self.url = ""

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        self.bodies.put(Request(environ).get_data())
        return Response("", self.answers.pop(0) if self.answers else 200)(environ, start_response)


@contextmanager
def listening() -> Iterator[Sink]:
    sink = Sink()
    server = LocalServer(sink)
    server.start()
    sink.url = server.url + "/google/callback"
    yield sink
    server.stop()
