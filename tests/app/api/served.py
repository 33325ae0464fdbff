"""One server process on a database: `python -m tests.app.api.served DATABASE_URL FOLDER [api|all]` prints its port."""

import sys
from pathlib import Path

from werkzeug.serving import WSGIRequestHandler, make_server

from app.factory import create_app
from app.world import open_world
from tests.app.api.conftest import make_app
from tests.conftest import settings_for


class Quiet(WSGIRequestHandler):
    """Requests are not worth a line."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Nothing."""


def main() -> None:
    url, folder, *door = sys.argv[1:]
    world = open_world(settings_for(url, Path(folder)))
    app = create_app(world) if door == ["all"] else make_app(world)
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=Quiet)
    print(server.server_port, flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
