"""Marketing's first page: today, what runs, the figures that matter, and what needs a decision."""

from datetime import timedelta

from babel.dates import format_date
from flask import Blueprint
from sqlalchemy.orm import Session

from app import localtime
from app.campaigns import service as campaigns
from app.cards.models import Programme
from app.i18n import page_language
from app.marketing import place
from app.marketing.calendar import contents, layout
from app.marketing.calendar.layout import Day
from app.marketing.calendar.plans import Asked
from app.marketing.campaigns import pages, words
from app.marketing.home import deciding, figures
from app.staff import rules
from app.staff.guards import requires
from app.web import world

blueprint = Blueprint("marketing_home", __name__, url_prefix="/marketing")
AHEAD = timedelta(days=6)


@blueprint.get("", strict_slashes=False)
@requires(*rules.MARKETING_READ)
def today() -> str:
    """What goes on, and what waits."""
    now, language = world().clock(), page_language()
    with world().database.reading() as reading:
        programme = place.programme(reading)
        first = localtime.wall_clock(now, programme.timezone).date()
        running = campaigns.of_programme(reading, programme.id, states_in=("sending", "paused"), limit=20)
        return place.shown(
            "home.html",
            reading,
            programme,
            days=_week(reading, programme),
            today=first,
            long_day=lambda day: format_date(day, "EEEE d MMMM", locale=language),
            running=pages.rows_of(reading, running),
            figures=figures.of(reading, programme, now=now),
            decisions=deciding.waiting(reading, programme, now=now),
            number=words.number,
            zone=words.zone_name(programme.timezone),
        )


def _week(reading: Session, programme: Programme) -> list[Day]:
    """Today and the six days to come."""
    now = world().clock()
    first = localtime.wall_clock(now, programme.timezone).date()
    asked = Asked(
        programme=programme, first=first, last=first + AHEAD, now=now, language=page_language(), may_write=False
    )
    found = contents.read(reading, asked)
    return layout.week(list(asked.days), found.plans, {})
