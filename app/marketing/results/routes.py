"""What a campaign really changed."""

from flask import Blueprint, Response, flash, redirect, request, url_for
from flask_babel import gettext
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as AnyResponse

from app.campaigns import service as campaigns
from app.campaigns.models import Campaign
from app.errors import AppError, NotFound
from app.i18n import translate
from app.marketing import place
from app.marketing.campaigns import pages as campaign_pages
from app.marketing.results import forms, pages, words
from app.marketing.results.forms import WorthForm
from app.results import service as results
from app.results import sheets
from app.staff import rules
from app.staff.guards import current_staff, requires
from app.web import world

blueprint = Blueprint("marketing_results", __name__, url_prefix="/marketing/results/<public_id>")


@blueprint.get("")
@requires(*rules.MARKETING_READ)
def one(public_id: str) -> str:
    """A campaign's effect, what it brought, who was told, and how it went."""
    with world().database.reading() as reading:
        return _page(reading, campaign_pages.own(reading, public_id))


@blueprint.post("/worth")
@requires(*rules.MARKETING)
def set_worth(public_id: str) -> str | AnyResponse:
    """Say what a buyer is worth and what the campaign costs."""
    with world().database.unit_of_work() as writing:
        found = campaign_pages.own(writing, public_id)
        form = forms.parse(request.form, campaigns.programme_of(writing, found).currency)
        if form.draft is None:
            return _page(writing, found, form)
        try:
            results.set_worth(writing, found, form.draft, by=current_staff().actor, now=world().clock())
        except AppError as refusal:
            errors = {name.removesuffix("_minor"): translate(text) for name, text in refusal.errors.items()}
            return _page(writing, found, WorthForm(values=form.values, errors=errors))
    flash(gettext("Saved. What is claimed follows from it at once."), "good")
    return redirect(url_for("marketing_results.one", public_id=public_id, _anchor="money"), 303)


@blueprint.get("/<kind>.csv")
@requires(*rules.MARKETING_READ)
def sheet(public_id: str, kind: str) -> Response:
    """The figures of a plot, for a spreadsheet."""
    if kind not in sheets.KINDS:
        raise NotFound("not_found", "There is nothing at this address. Check it for a typing mistake.")
    with world().database.reading() as reading:
        found = results.of(reading, campaign_pages.own(reading, public_id), now=world().clock())
    answer = Response(sheets.text(found, kind), mimetype="text/csv")
    answer.headers["Content-Disposition"] = f'attachment; filename="tessera-results-{kind}.csv"'
    return answer


def _page(session: Session, campaign: Campaign, form: WorthForm | None = None) -> str:
    programme = campaigns.programme_of(session, campaign)
    found = results.of(session, campaign, now=world().clock())
    return place.shown(
        "results.html",
        session,
        programme,
        campaign=campaign,
        result=found if found.counts.is_counted else None,
        drawn=pages.drawn(found, programme.currency, programme.timezone) if found.counts.is_counted else None,
        form=form or forms.kept(results.worth_of(session, campaign), programme.currency),
        words=words,
        currency=programme.currency,
        zone=programme.timezone,
    )
