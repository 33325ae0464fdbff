"""Tessera's web service: builds the parts and joins them. The only place that knows all rooms."""

import importlib

from flask import Flask

from app import i18n, web
from app.world import World

ROOMS = (
    "app.staff.routes",
    "app.enrolment.routes",
    "app.till.routes",
    "app.marketing.routes",
    "app.admin.routes",
    "app.api.routes",
    "app.wallets.apple.routes",
    "app.wallets.google.routes",
    "app.health",
)


def create_app(world: World) -> Flask:
    """The Flask application for one world."""
    app = Flask(__name__)
    web.install(app, world)
    i18n.install(app)
    for name in ROOMS:
        try:
            room = importlib.import_module(name)
        except ModuleNotFoundError as problem:
            if problem.name and (name.startswith(problem.name)):
                continue
            raise
        room.install(app) if hasattr(room, "install") else app.register_blueprint(room.blueprint)
    return app
