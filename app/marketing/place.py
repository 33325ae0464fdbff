"""Which programme a marketer looks at, and what every page of the room needs to be drawn."""

from typing import Any

from flask import render_template, session
from flask_babel import gettext
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.cards.models import Programme
from app.errors import NotFound
from app.marketing.once import form_key
from app.staff import rules
from app.staff.guards import current_staff

CHOSEN = "marketing_programme"


def programmes(reading: Session) -> list[Programme]:
    """Those that this person may see."""
    person = current_staff()
    query = select(Programme).order_by(Programme.name)
    if person.programme_id is not None:
        query = query.where(Programme.id == person.programme_id)
    return list(reading.scalars(query))


def programme(reading: Session) -> Programme:
    """The one that was chosen last, or the first.

    Raises: NotFound `no_programme`.
    """
    choices = programmes(reading)
    if not choices:
        raise NotFound("no_programme", gettext("There is no programme yet; the operator makes one first."))
    wanted = session.get(CHOSEN)
    return next((one for one in choices if one.slug == wanted), choices[0])


def is_own(programme_id: int) -> bool:
    """Whether this person may see what belongs to a programme."""
    return current_staff().programme_id in {None, programme_id}


def may_write() -> bool:
    """Whether this person may change anything here."""
    return current_staff().may(*rules.MARKETING)


def shown(template: str, reading: Session, own: Programme, **values: Any) -> str:
    """A page of the room with its head."""
    choices = [(one.slug, one.name) for one in programmes(reading)]
    return render_template(
        f"marketing/{template}", staff=current_staff(), programme=own, choices=choices, may_write=may_write(),
        form_key=form_key(), **values,
    )  # fmt: skip
