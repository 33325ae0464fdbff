"""The operator's room: its first page, its certificates, and the doors to its other pages."""

from flask import Blueprint, Flask
from werkzeug.wrappers import Response as AnyResponse

from app.admin import certificates, gate, home
from app.admin.balances.routes import blueprint as balances_blueprint
from app.admin.changes.routes import blueprint as changes_blueprint
from app.admin.clubs.routes import blueprint as clubs_blueprint
from app.admin.codes.routes import blueprint as codes_blueprint
from app.admin.controls.cards import blueprint as card_controls_blueprint
from app.admin.controls.own import blueprint as own_card_blueprint
from app.admin.controls.routes import blueprint as controls_blueprint
from app.admin.deliveries import ledger
from app.admin.deliveries.routes import blueprint as deliveries_blueprint
from app.admin.expiry.routes import blueprint as expiry_blueprint
from app.admin.look.routes import blueprint as look_blueprint
from app.admin.pages import shown
from app.admin.people.routes import blueprint as people_blueprint
from app.admin.programmes.routes import blueprint as programmes_blueprint
from app.admin.rewards.routes import blueprint as rewards_blueprint
from app.admin.rules.routes import blueprint as rules_blueprint
from app.admin.stamps.routes import blueprint as stamps_blueprint
from app.admin.tiers.routes import blueprint as tiers_blueprint
from app.admin.trail.routes import blueprint as trail_blueprint
from app.admin.value.routes import blueprint as value_blueprint
from app.admin.watch.routes import blueprint as watch_blueprint
from app.admin.watch.routes import told
from app.admin.webhooks.routes import blueprint as webhooks_blueprint
from app.alarms import service as alarms
from app.clock import milliseconds
from app.delivery import queries
from app.staff import rules
from app.staff.guards import current_staff, requires
from app.web import world

blueprint = Blueprint("admin", __name__, url_prefix="/admin")


def install(app: Flask) -> None:
    """Register this room and the smaller ones in it."""
    app.register_blueprint(blueprint)
    for room in (
        programmes_blueprint,
        tiers_blueprint,
        rewards_blueprint,
        codes_blueprint,
        rules_blueprint,
        balances_blueprint,
        expiry_blueprint,
        look_blueprint,
        people_blueprint,
        deliveries_blueprint,
        changes_blueprint,
        webhooks_blueprint,
        trail_blueprint,
        watch_blueprint,
        value_blueprint,
        stamps_blueprint,
        clubs_blueprint,
        controls_blueprint,
        card_controls_blueprint,
        own_card_blueprint,
    ):
        app.register_blueprint(room)


@blueprint.get("", strict_slashes=False)
@requires(*rules.ADMIN_READ)
def first() -> AnyResponse:
    """Is all well?"""
    parts, me, now = world(), current_staff(), world().clock()
    with parts.database.reading() as reading:
        answers = home.answers(parts, reading, me, now=now)
        wrong = alarms.seen_now(parts, reading, now=now) if me.programme_id is None else []
        programmes = gate.visible(reading, me)
    return shown("home.html", alarms=[told(one) for one in wrong], answers=answers, programmes=programmes, now=now)


@blueprint.get("/certificates")
@requires(*rules.ADMIN_READ)
def certificate_list() -> AnyResponse:
    """Each pass type with its state and the way to renew it; and how we stand with Google."""
    parts, me, now = world(), current_staff(), world().clock()
    with parts.database.reading() as reading:
        programmes = gate.visible(reading, me)
        found = certificates.pass_types(parts, programmes, with_folders=me.programme_id is None, now=now)
        refusals = ledger.sends(reading, programme_id=me.programme_id, refused=True, limit=200)
        senders = queries.senders(reading, now_ms=milliseconds(now))
    return shown(
        "certificates.html",
        pass_types=found,
        google=certificates.google(parts),
        stopped={(one.vendor, one.name): one.reason for one in senders if one.is_open},
        google_refusal=next((one for one in refusals if one.channel.startswith("google")), None),
        certs_dir=parts.settings.certs_dir,
    )
