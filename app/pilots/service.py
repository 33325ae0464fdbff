"""Trials in some stores: begun, read, widened to others by one word, or stopped."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from app import ids
from app.cards import texts
from app.cards.models import Programme, Store
from app.errors import Conflict, NotFound, Sentence, Unprocessable
from app.pilots import reporting, subjects
from app.pilots.models import KINDS, Pilot, PilotStore
from app.pilots.subjects import Subject
from app.staff import audit

LONGEST_NAME = 100
LONGEST_DAYS = 366
FIRST_YEAR, LAST_YEAR = 2000, 2199


@dataclass(frozen=True, kw_only=True)
class Draft:
    """A pilot as it is asked for. `subject`: the public id of an offer or campaign, or the name of a rule of earning.

    Days are the programme's, the last one included.
    """

    programme: Programme
    name: str
    kind: str
    subject: str
    starts_on: date
    ends_on: date
    pilot: Sequence[Store]
    control: Sequence[Store]


def create(session: Session, draft: Draft, *, by: str, now: datetime) -> Pilot:
    """Begin to compare the stores of a pilot with others.

    What is tried must hold in all of the pilot's stores and in none of the others.

    Raises: Unprocessable `store_in_both`, `not_limited` or `invalid_pilot` with a sentence for each faulty field;
    NotFound `unknown_subject`.
    """
    _check(draft)
    found = subjects.find(session, draft.programme, draft.kind, draft.subject)
    _check_stores(found, draft)
    days = (draft.ends_on - draft.starts_on).days + 1
    pilot = Pilot(
        public_id=ids.public_id("plt"), programme_id=draft.programme.id, name=draft.name.strip(), kind=draft.kind,
        subject=draft.subject, before_on=reporting.span_before(draft.starts_on, days).first,
        starts_on=draft.starts_on, ends_on=draft.ends_on, created_by=by, created_at=now,
    )  # fmt: skip
    session.add(pilot)
    session.flush()
    for arm, stores in (("pilot", draft.pilot), ("control", draft.control)):
        session.add_all(PilotStore(pilot_id=pilot.id, store_id=store.id, arm=arm) for store in stores)
    session.flush()
    after: dict[str, object] = {"kind": pilot.kind, "subject": pilot.subject, "pilot": _names(draft.pilot),
             "control": _names(draft.control)}  # fmt: skip
    _note(session, pilot, "pilot_created", after, by=by, now=now)
    return pilot


def widen(session: Session, pilot: Pilot, stores: Sequence[Store] | None, *, by: str, now: datetime) -> Pilot:
    """Let what was tried hold in these stores too, None: in all; the pilot is over then.

    Raises: Conflict `pilot_over`, or why it cannot be widened; Unprocessable `unknown_store`; NotFound
    `unknown_subject`.
    """
    _locked_open(session, pilot)
    if stores is not None and (not stores or any(one.programme_id != pilot.programme_id for one in stores)):
        text = "Name the stores of this programme to which it is widened."
        raise Unprocessable("unknown_store", text, errors={"stores": text})
    had = session.scalars(
        select(PilotStore.store_id).where(PilotStore.pilot_id == pilot.id, PilotStore.arm == "pilot")
    ).all()
    done = subjects.widen(session, subjects.of(session, pilot), stores, had=had, by=by, now=now)
    names = None if stores is None else _names(stores)
    _end(pilot, "widened", {"stores": names, **done}, by=by, now=now)
    session.flush()
    _note(session, pilot, "pilot_widened", pilot.outcome, by=by, now=now)
    return pilot


def stop(session: Session, pilot: Pilot, *, by: str, now: datetime) -> Pilot:
    """End the pilot and what it tries, everywhere.

    Raises: Conflict `pilot_over`, or why it cannot be stopped.
    """
    _locked_open(session, pilot)
    with suppress(NotFound):  # somebody took it out already; the pilot ends all the same
        subjects.stop(session, subjects.of(session, pilot), by=by, now=now)
    _end(pilot, "stopped", {}, by=by, now=now)
    session.flush()
    _note(session, pilot, "pilot_stopped", {"subject": pilot.subject}, by=by, now=now)
    return pilot


def by_id(session: Session, public_id: str) -> Pilot:
    """A pilot by its public id.

    Raises: NotFound `unknown_pilot`.
    """
    found = session.scalars(select(Pilot).where(Pilot.public_id == public_id)).one_or_none()
    if found is None:
        raise NotFound("unknown_pilot", "There is no such pilot.")
    return found


def of_programme(session: Session, programme_id: int, *, limit: int = 100) -> list[Pilot]:
    """A programme's pilots, the newest first."""
    query = select(Pilot).where(Pilot.programme_id == programme_id).order_by(Pilot.id.desc())
    return list(session.scalars(query.limit(limit)))


def in_regions(session: Session, programme: Programme, regions: Sequence[str]) -> list[Store]:
    """The stores of these regions.

    Raises: Unprocessable `unknown_region`.
    """
    query = select(Store).where(Store.programme_id == programme.id, Store.region.in_(regions), Store.region != "")
    found = list(session.scalars(query.order_by(Store.id)))
    missing = sorted(set(regions) - {store.region for store in found})
    if missing:
        text = Sentence("No store lies in the region %(name)s.", name=missing[0][:60])
        raise Unprocessable("unknown_region", text, errors={"regions": text})
    return found


def stores_of(session: Session, pilot: Pilot) -> dict[str, list[Store]]:
    """The stores of each arm, by name."""
    query = select(Store, PilotStore.arm).join(PilotStore, PilotStore.store_id == Store.id)
    found: dict[str, list[Store]] = {"pilot": [], "control": []}
    for store, arm in session.execute(query.where(PilotStore.pilot_id == pilot.id).order_by(Store.name)):
        found[arm].append(store)
    return found


def _check(draft: Draft) -> None:
    both = {store.id: store for store in draft.pilot}.keys() & {store.id for store in draft.control}
    if both:
        name = next(store.name for store in draft.pilot if store.id in both)
        text = Sentence("%(store)s is in both groups; leave it in one of them.", store=name)
        raise Unprocessable("store_in_both", text, errors={"control": text})
    errors: dict[str, str] = {}
    if not 1 <= len(draft.name.strip()) <= LONGEST_NAME or not texts.is_showable(draft.name):
        errors["name"] = "A pilot has a name of 1 to 100 characters."
    if draft.kind not in KINDS:
        errors["kind"] = Sentence("This is one of %(known)s.", known=", ".join(KINDS))
    errors |= _wrong_days(draft)
    for arm in ("pilot", "control"):
        stores: Sequence[Store] = getattr(draft, arm)
        if not stores:
            errors[arm] = "Choose at least one store; two or more in each group make an interval possible."
        elif any(store.programme_id != draft.programme.id for store in stores):
            errors[arm] = "This belongs to another programme."
    if errors:
        raise Unprocessable("invalid_pilot", " ".join(dict.fromkeys(errors.values())), errors=errors)


def _wrong_days(draft: Draft) -> dict[str, str]:
    """A sentence for each day that cannot be reckoned with, by its field."""
    days = {"starts_on": draft.starts_on, "ends_on": draft.ends_on}
    text = "Write the day as 2026-11-20, in the years 2000 to 2199."
    errors = {name: text for name, day in days.items() if not FIRST_YEAR <= day.year <= LAST_YEAR}
    if not errors and draft.ends_on < draft.starts_on:
        errors["ends_on"] = "The last day does not come before the first."
    elif not errors and (draft.ends_on - draft.starts_on).days >= LONGEST_DAYS:
        errors["ends_on"] = "A pilot lasts a year at most."
    return errors


def _check_stores(found: Subject, draft: Draft) -> None:
    """What is tried holds in the pilot's stores and in none of those that it is compared with."""
    missing = next((store for store in draft.pilot if found.stores and store.id not in found.stores), None)
    if missing is not None:
        text = Sentence("%(name)s does not hold in %(store)s; add that store to it first.", name=found.name,
                        store=missing.name)  # fmt: skip
        raise Unprocessable("not_limited", text, errors={"pilot": text})
    also = next((store for store in draft.control if not found.stores or store.id in found.stores), None)
    if also is not None:
        text = Sentence("%(name)s holds in %(store)s too, so that store shows nothing to compare with. Limit it to "
                        "the stores of the pilot first.", name=found.name, store=also.name)  # fmt: skip
        raise Unprocessable("not_limited", text, errors={"control": text})


def _locked_open(session: Session, pilot: Pilot) -> None:
    session.refresh(pilot, with_for_update=True)
    if pilot.state != "open":
        raise Conflict("pilot_over", "This pilot is over; it was widened or stopped already.")


def _end(pilot: Pilot, state: str, outcome: dict[str, object], *, by: str, now: datetime) -> None:
    pilot.state, pilot.outcome, pilot.ended_by, pilot.ended_at = state, outcome, by, now


def _names(stores: Sequence[Store]) -> list[str]:
    return [store.public_id for store in stores]


def _note(session: Session, pilot: Pilot, action: str, after: dict[str, object], *, by: str, now: datetime) -> None:
    audit.record(session, actor=by, action=action, subject=f"pilot:{pilot.public_id}", after=after, now=now)
