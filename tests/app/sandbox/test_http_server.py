"""The server under the stand-ins: many requests at once, and a stop that waits for none."""

import threading
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
import requests

from app.sandbox.http_server import LocalServer

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment


def test_answers_come_side_by_side() -> None:
    meeting = threading.Barrier(4, timeout=30)

    def application(_environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        meeting.wait()
        start_response("200 OK", [("Content-Length", "2")])
        return [b"ok"]

    server = LocalServer(application)
    server.start()
    with ThreadPoolExecutor(4) as clients:
        texts = list(clients.map(lambda _: requests.get(server.url, timeout=30).text, range(4)))
    server.stop()

    assert texts == ["ok"] * 4


def test_an_answer_that_never_ends_does_not_hold_up_the_stop() -> None:
    stopped = threading.Event()

    def application(_environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        start_response("200 OK", [("Content-Type", "text/event-stream")])
        yield b"first"
        while not stopped.wait(0.01):
            yield b"more"

    server = LocalServer(application)
    server.start()
    with requests.get(server.url, stream=True, timeout=30) as answer:
        parts = answer.iter_content(5)
        assert next(parts) == b"first"

        server.stop()

        with pytest.raises(requests.RequestException):
            list(parts)
    stopped.set()


def test_a_taken_port_is_an_error_and_not_the_end_of_the_process() -> None:
    server = LocalServer(lambda _environ, _start: [])
    server.start()
    with pytest.raises(OSError, match="in use"):
        LocalServer(lambda _environ, _start: [], server.port)
    server.stop()
