"""The web application as the server process loads it."""

from app import logs, settings
from app.factory import create_app
from app.processes import end_with_parent
from app.world import open_world


def build() -> object:
    """Make the application for this process; it ends when the server that started it is gone."""
    chosen = settings.load()
    logs.install(chosen)
    end_with_parent()
    return create_app(open_world(chosen))
