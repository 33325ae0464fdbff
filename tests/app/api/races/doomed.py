"""Server processes that end themselves: `python -m tests.app.api.races.doomed DATABASE_URL FOLDER`.

Each line that is read names a point of `app.failpoints`. A server that is armed with it is forked, so that nothing is
imported anew for it; its port is written, and once it has ended, its exit code.
"""

import os
import sys
from pathlib import Path

from flask import Flask
from werkzeug.serving import make_server

from app import failpoints
from app.world import open_world
from tests.app.api.conftest import make_app
from tests.app.api.served import Quiet
from tests.conftest import settings_for


def main() -> None:
    url, folder = sys.argv[1:]
    app = make_app(open_world(settings_for(url, Path(folder))))  # connects to the database at the first request
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            _serve(app, f"{line.strip()}=kill")
        _, status = os.waitpid(pid, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


def _serve(app: Flask, point: str) -> None:
    failpoints.arm(point)
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=Quiet)
    print(server.server_port, flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
