"""Reports as a test reads them."""

from typing import Any

from app.cards.models import Programme
from app.reports import service
from app.reports.outcome import Report
from app.reports.service import Wish
from app.world import World


def read(world: World, programme: Programme, name: str, **wish: Any) -> Report:
    """A report, for somebody who may know people."""
    with world.database.reading() as session:
        own = session.get_one(Programme, programme.id)
        asked = Wish(name=name, names_people=True, **wish)
        return service.report(session, own, asked, now=world.clock())


def figure(report: Report, metric: str) -> Any:
    return next(one.value for one in report.outcome.figures if one.metric == metric)


def cell(report: Report, column: str, row: int = -1) -> Any:
    """What stands in a column, in the last row unless it is said which."""
    at = [one.key for one in report.outcome.columns].index(column)
    return report.outcome.rows[row][at]
