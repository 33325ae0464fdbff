"""Tessera's web service: builds the parts and joins them. The only place that knows all rooms."""

from flask import Flask

from app import health, i18n, web
from app.admin import routes as admin
from app.api import routes as api
from app.enrolment import routes as enrolment
from app.marketing import routes as marketing
from app.staff import routes as staff
from app.till import routes as till
from app.till.day import routes as till_day
from app.till.goods import routes as till_goods
from app.till.notices import routes as till_notices
from app.till.offline import routes as till_offline
from app.till.people import routes as till_people
from app.till.value import routes as till_value
from app.wallets.apple import routes as apple
from app.wallets.google import routes as google
from app.world import World


def create_app(world: World) -> Flask:
    """The Flask application for one world."""
    app = Flask(__name__)
    world.database.serve_web()
    web.install(app, world)
    i18n.install(app)
    for room in (staff, enrolment, admin, marketing, api, apple, health):
        room.install(app)
    for door in (till, till_day, till_goods, till_notices, till_offline, till_people, till_value, google):
        app.register_blueprint(door.blueprint)
    web.trust_proxies(app)
    return app
