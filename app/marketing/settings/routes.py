"""What holds for all campaigns of a programme, who may do what, and who changed what lately."""

from collections.abc import Mapping

from flask import Blueprint, flash, redirect, request, url_for
from flask_babel import gettext
from sqlalchemy import or_, select
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from app.campaigns import policy
from app.cards.models import Programme
from app.errors import Unprocessable
from app.i18n import translate
from app.marketing import place
from app.marketing.campaigns import words
from app.marketing.settings import doings
from app.marketing.settings.forms import PolicyForm
from app.staff import rules
from app.staff.guards import current_staff, requires
from app.staff.models import Staff
from app.web import world

blueprint = Blueprint("marketing_settings", __name__, url_prefix="/marketing/settings")


@blueprint.get("", strict_slashes=False)
@requires(*rules.MARKETING_READ)
def settings() -> str:
    """Quiet hours, caps, who is held back of everything, and above how many people a second person approves."""
    with world().database.reading() as reading:
        programme = place.programme(reading)
        return _page(reading, programme, PolicyForm.of(policy.of(reading, programme.id)))


@blueprint.post("", strict_slashes=False)
@requires(*rules.MARKETING_SETTINGS)
def change() -> Response | tuple[str, int]:
    """Let another policy hold from now on."""
    form = PolicyForm.parse(request.form)
    try:
        with world().database.unit_of_work() as writing:
            programme = place.programme(writing)
            if form.policy is None:
                return _page(writing, programme, form), Unprocessable.status
            policy.change(writing, programme, form.policy, by=current_staff().actor, now=world().clock())
    except Unprocessable as refusal:
        with world().database.reading() as reading:
            errors = {name: translate(text) for name, text in refusal.errors.items()}
            return _page(reading, place.programme(reading), form.wrong(errors)), refusal.status
    flash(gettext("Saved. It holds from now on, for what is planned already too."), "good")
    return redirect(url_for("marketing_settings.settings"), 303)


def _page(reading: Session, programme: Programme, form: PolicyForm) -> str:
    return place.shown(
        "settings.html",
        reading,
        programme,
        form=form,
        holds=policy.of(reading, programme.id),
        may_set=current_staff().may(*rules.MARKETING_SETTINGS),
        percent=words.percent,
        number=words.number,
        people=_people(reading, programme),
        changes=doings.lately(reading, programme),
        labels=_labels(),
    )


def _labels() -> Mapping[str, str]:
    return {
        "quiet_from": gettext("Quiet from"),
        "quiet_to": gettext("Quiet until"),
        "cap_day": gettext("In 24 hours"),
        "cap_week": gettext("In 7 days"),
        "global_holdout": gettext("Held back of everything, in percent"),
        "approve_above": gettext("Above so many people"),
    }


def _people(reading: Session, programme: Programme) -> list[tuple[str, str, str]]:
    """Who may come into this room: name, role, and what the role may."""
    query = select(Staff).where(
        Staff.active,
        Staff.role.in_((rules.OWNER, *rules.MARKETING_READ)),
        or_(Staff.programme_id.is_(None), Staff.programme_id == programme.id),
    )
    return [
        (one.name, _role(one.role), _may(one.role)) for one in reading.scalars(query.order_by(Staff.role, Staff.name))
    ]


def _role(role: str) -> str:
    named: dict[str, str] = {
        "owner": gettext("Owner"),
        "marketer": gettext("Marketer"),
        "approver": gettext("Approver"),
        "manager": gettext("Manager"),
        "auditor": gettext("Auditor"),
    }
    return named[role]


def _may(role: str) -> str:
    if role == rules.OWNER:
        return str(gettext("Everything, but not the approval of their own work"))
    if rules.may(role, rules.MARKETING_APPROVE):
        return str(gettext("Writes, and approves what others wrote"))
    return str(gettext("Writes")) if rules.may(role, rules.MARKETING) else str(gettext("Reads"))
