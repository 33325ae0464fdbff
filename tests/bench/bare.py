"""The cheapest answer that the web server can give: finished bytes, with the product's own options and nothing else.

What it costs, and the signature, is the least that a signed pass can cost on this machine: the bound of `passkit`.
"""

import os
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

import requests

from app import settings
from app.commands.serving import web_server
from app.wsgi import stay_on_one_processor
from passes.apple.bundle import MEDIA_TYPE
from tests.journeys.stage import wait_for
from tests.ports import free_port

BYTES = "BENCH_BARE_BYTES"


def build() -> WSGIApplication:
    """The application: one body for every request."""
    stay_on_one_processor()
    body = os.urandom(int(os.environ[BYTES]))
    headers = [("Content-Type", MEDIA_TYPE), ("Content-Length", str(len(body)))]

    def answer(_environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", headers)
        return [body]

    return answer


@contextmanager
def bare_server(environ: dict[str, str], body_bytes: int) -> Iterator[tuple[str, int]]:
    """The address and the process of a server that answers everything with so many bytes."""
    listen = f"127.0.0.1:{free_port()}"
    settings_of_it = {**environ, "TESSERA_LISTEN": listen, BYTES: str(body_bytes)}
    process = subprocess.Popen([sys.executable, "-m", "tests.bench.bare"], env=settings_of_it)
    try:
        wait_for(lambda: _answers(f"http://{listen}"))
        yield f"http://{listen}", process.pid
    finally:
        process.terminate()
        process.wait(30)


def _answers(base: str) -> bool:
    try:
        return requests.get(base, timeout=1).ok
    except requests.RequestException:
        return False


if __name__ == "__main__":
    web_server("tests.bench.bare:build", settings.load()).serve()
