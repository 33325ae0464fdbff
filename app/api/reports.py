"""Reports: which there are, and one of them for some days as JSON or CSV."""

from typing import Any

from sqlalchemy import select

from app.api import reports_shapes, shapes
from app.api.calls import Body, Call, Operation
from app.cards.models import Programme
from app.errors import Forbidden, Unprocessable
from app.reports import service, writing
from app.reports.metrics import Metric
from app.reports.outcome import Report
from app.reports.service import Wish


def list_reports(call: Call) -> Body:
    """All reports with the definitions of their metrics."""
    language = call.query["language"]
    return {
        "items": [
            {
                "name": one.name,
                "title": one.title,
                "about": one.about,
                "by_store": one.by_store,
                "definitions": _defined(service.definitions(one, language)),
            }
            for one in service.kinds(language).values()
        ]
    }


def read_report(call: Call) -> Body:
    """One report."""
    programme, report = _asked(call)
    ask, outcome = report.ask, report.outcome
    kind = service.kinds(ask.language)[report.name]
    return {
        "name": report.name,
        "title": report.title,
        "programme": programme.public_id,
        "period": {"from": str(ask.period.first), "to": str(ask.period.last), "days": ask.period.days},
        "store": call.query["store"] or None,
        "timezone": ask.place.zone,
        "currency": ask.currency,
        "built_at": shapes.moment(report.built_at) if report.built_at else None,
        "incomplete_on": str(report.incomplete_on) if report.incomplete_on else None,
        "figures": [
            {"metric": one.metric, "value": writing.plain(one.value), "before": writing.plain(one.before)}
            for one in outcome.figures
        ],
        "columns": [{"key": one.key, "label": one.label, "kind": one.kind} for one in outcome.columns],
        "rows": [[writing.plain(value) for value in row] for row in outcome.rows],
        "notes": list(outcome.notes),
        "definitions": _defined(service.definitions(kind, ask.language)),
    }


def read_report_as_csv(call: Call) -> str:
    """The table of one report."""
    return "".join(writing.csv_lines(_asked(call)[1]))


def _asked(call: Call) -> tuple[Programme, Report]:
    query: dict[str, Any] = dict(call.query)
    programme = _programme(call, query.pop("programme"))
    name = call.path["report"]
    kind = service.kinds("en").get(name)
    knows_people = call.caller.scope == "admin"
    if kind is not None and kind.about_people and not knows_people:
        told = (
            f"This report is about people who work here; it needs a key of scope admin; yours has {call.caller.scope}."
        )
        raise Forbidden("scope_too_small", told)
    wish = Wish(name=name, names_people=knows_people, **query)
    return programme, service.report(call.session, programme, wish, now=call.now)


def _programme(call: Call, name: str | None) -> Programme:
    """The one that is named, or the only one that the key sees."""
    if name:
        return call.programme(name)
    own = select(Programme)
    if call.caller.programme_id is not None:
        own = own.where(Programme.id == call.caller.programme_id)
    found = call.session.scalars(own.limit(2)).all()
    if len(found) != 1:
        text = "Name the programme by its id or slug: this key does not see just one."
        raise Unprocessable("programme_needed", text, errors={"programme": text})
    return found[0]


def _defined(found: list[Metric]) -> list[Body]:
    return [{"metric": one.name, "title": one.title, "formula": one.formula, "unit": one.unit} for one in found]


_ABOUT = (
    "Days are those of the programme's calendar. What cannot be reckoned, because there is nothing to divide by, is "
    "null. `built_at` is when the oldest part of the report was built: everything written before it is counted. The "
    "day `incomplete_on` is not over. A period has at most five years."
)
OPERATIONS = (
    Operation(
        method="GET",
        rule="/reports",
        name="list_reports",
        summary="List the reports with the definitions of their metrics",
        tag="reports",
        work=list_reports,
        query=reports_shapes.CatalogueQuery,
        answer=reports_shapes.Reports,
    ),
    Operation(
        method="GET",
        rule="/reports/<report>",
        name="read_report",
        summary="Read a report",
        description=_ABOUT,
        tag="reports",
        work=read_report,
        query=reports_shapes.ReportQuery,
        answer=reports_shapes.Report,
    ),
    Operation(
        method="GET",
        rule="/reports/<report>/csv",
        name="read_report_as_csv",
        summary="Read the table of a report as CSV",
        description=_ABOUT,
        tag="reports",
        work=read_report_as_csv,
        query=reports_shapes.ReportQuery,
        media="text/csv",
    ),
)
