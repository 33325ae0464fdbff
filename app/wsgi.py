"""The web application as the server process loads it."""

from collections import Counter
from multiprocessing.util import Finalize

from app import logs, settings
from app.delivery.heart import Heart
from app.delivery.service import hint_sender
from app.factory import create_app
from app.processes import end_with_parent
from app.world import open_world


def build() -> object:
    """Make the application for this process; it ends when the server that started it is gone."""
    chosen = settings.load()
    logs.install(chosen)
    end_with_parent()
    world = open_world(chosen)
    hints = hint_sender(world)
    if hints is not None:
        hints.start()
        world.database.after_commit = hints.after_commit
    heart = Heart(world, "web", counts=hints.counts if hints is not None else Counter)
    heart.start()
    Finalize(None, heart.stop, exitpriority=1)  # a forked process ends without what `atexit` would call
    return create_app(world)
