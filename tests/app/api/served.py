"""One server process of the API on a database: `python -m tests.app.api.served DATABASE_URL FOLDER` prints its port."""

import sys
from pathlib import Path

from werkzeug.serving import WSGIRequestHandler, make_server

from app.world import open_world
from tests.app.api.conftest import make_app
from tests.conftest import settings_for


class Quiet(WSGIRequestHandler):
    """Requests are not worth a line."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Nothing."""


def main() -> None:
    url, folder = sys.argv[1:]
    app = make_app(open_world(settings_for(url, Path(folder))))
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=Quiet)
    print(server.server_port, flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
