"""The marketing room: its first page, which programme is looked at, and the doors to its other pages."""

from flask import Blueprint, Flask, redirect, request, session, url_for
from werkzeug.wrappers import Response

from app.marketing import place
from app.marketing.calendar.routes import blueprint as calendar_blueprint
from app.marketing.campaigns.detail import blueprint as campaign_blueprint
from app.marketing.campaigns.routes import blueprint as campaigns_blueprint
from app.marketing.home.routes import blueprint as home_blueprint
from app.marketing.offers.routes import blueprint as offers_blueprint
from app.marketing.pilots.routes import blueprint as pilots_blueprint
from app.marketing.reports.routes import blueprint as reports_blueprint
from app.marketing.results.routes import blueprint as results_blueprint
from app.marketing.segments.routes import blueprint as segments_blueprint
from app.marketing.settings.routes import blueprint as settings_blueprint
from app.staff import rules
from app.staff.guards import requires

blueprint = Blueprint("marketing", __name__, url_prefix="/marketing")


def install(app: Flask) -> None:
    """Register this room and the smaller ones in it."""
    app.register_blueprint(blueprint)
    for room in (
        home_blueprint, campaigns_blueprint, campaign_blueprint, calendar_blueprint, offers_blueprint,
        segments_blueprint, settings_blueprint, results_blueprint, reports_blueprint, pilots_blueprint,
    ):  # fmt: skip
        app.register_blueprint(room)


@blueprint.post("/programme")
@requires(*rules.MARKETING_READ)
def choose_programme() -> Response:
    """Look at another programme, for those who see several."""
    session[place.CHOSEN] = request.form.get("slug", "")
    return redirect(url_for("marketing_home.today"), 303)
