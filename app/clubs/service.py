"""Clubs: made and ended, joined and renewed with dates, and dropped from the card when a membership is over."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, joinedload

from app import i18n, ids, localtime
from app.cards import programmes, texts
from app.cards import service as cards
from app.cards.models import Card, Programme
from app.clubs.models import Club, ClubMembership, ClubTerm
from app.db import rows_changed
from app.errors import Conflict, NotFound, Sentence, Unprocessable
from app.outbox.service import Lane

SLUG = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?")
LONGEST_NAME, LONGEST_BENEFITS, LONGEST_REFERENCE = 40, 500, 100
LONGEST_TERM_MONTHS = 120
FURTHEST_DAYS = 3660


@dataclass(frozen=True, kw_only=True)
class ClubDraft:
    """A club as it is asked for. `texts`: {language: {"name": …, "benefits": …}}."""

    programme: Programme
    slug: str
    name: str
    benefits: str = ""
    term_months: int = 12
    texts: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Term:
    """What somebody joins or renews for: until the end of `until`, or for the club's own term. `reference`: of the fee,
    which is paid outside."""

    since: date | None = None
    until: date | None = None
    reference: str = ""


def create(session: Session, draft: ClubDraft, *, by: str, now: datetime) -> Club:
    """Make a club.

    Raises: Unprocessable `invalid_club`; Conflict `club_exists`.
    """
    _check(draft)
    made = Club(
        public_id=ids.public_id("clb"), programme_id=draft.programme.id, created_by=by, created_at=now, slug=draft.slug,
        name=draft.name.strip(), benefits=draft.benefits.strip(), term_months=draft.term_months,
        texts={language: dict(by_name) for language, by_name in draft.texts.items()},
    )  # fmt: skip
    made.programme = draft.programme
    try:
        with session.begin_nested():
            session.add(made)
    except IntegrityError as problem:
        text = Sentence("There is a club named %(slug)s already.", slug=draft.slug)
        raise Conflict("club_exists", text, errors={"slug": text}) from problem
    return made


def change(session: Session, club: Club, draft: ClubDraft, *, now: datetime) -> None:
    """Replace what a club says of itself; its slug and running memberships stay.

    Raises: Unprocessable `invalid_club`.
    """
    _check(draft)
    club.name, club.benefits = draft.name.strip(), draft.benefits.strip()
    club.texts = {language: dict(by_name) for language, by_name in draft.texts.items()}
    club.term_months = draft.term_months
    session.flush()
    programmes.redesigned(session, club.programme, now=now)


def end(session: Session, club: Club) -> None:
    """Let nobody join or renew any more; memberships run to their end.

    Raises: Conflict `club_over`.
    """
    ended = update(Club).where(Club.id == club.id, Club.state == "live").values(state="ended")
    if rows_changed(session, ended.execution_options(synchronize_session=False)) != 1:
        raise Conflict("club_over", "This club has ended already.")
    session.refresh(club)


def join(session: Session, club: Club, card: Card, term: Term, *, by: str, now: datetime) -> ClubMembership:
    """Make the holder of a card a member of the club.

    Raises: Conflict `already_in_club`, `club_over` or `card_not_active`; Unprocessable `invalid_term` or
    `wrong_programme`.
    """
    card = _locked(session, club, card)
    zone, today = club.programme.timezone, _today(club, now)
    since = term.since or today
    _check_since(since, today)
    until = term.until or months_on(since, club.term_months)
    _check_term(term, since, until, today)
    membership = _of(session, club, card)
    if membership is not None and membership.ends_at > now:
        last = _last_day(membership, zone)
        text = Sentence("This card is in the club until %(day)s; renew it instead.", day=last.isoformat())
        raise Conflict("already_in_club", text)
    if membership is None:
        membership = ClubMembership(club_id=club.id, member_id=card.member_id)
        membership.club = club
        session.add(membership)
    membership.starts_at = now if since == today else localtime.start_of_day(since, zone)
    membership.ends_at = localtime.end_of_day(until, zone)
    membership.dropped_at = None
    return _noted(session, membership, card, "joined", term, by=by, now=now)


def renew(session: Session, club: Club, card: Card, term: Term, *, by: str, now: datetime) -> ClubMembership:
    """Let a membership go on: from its end, or from today if that has passed.

    Raises: Conflict `not_in_club`, `club_over` or `card_not_active`; Unprocessable `invalid_term`.
    """
    card = _locked(session, club, card)
    zone, today = club.programme.timezone, _today(club, now)
    membership = _of(session, club, card)
    if membership is None:
        raise Conflict("not_in_club", "This card was never in the club; let it join.")
    is_over = membership.ends_at <= now
    base = today if is_over else _last_day(membership, zone)
    until = term.until or months_on(base, club.term_months)
    _check_term(term, base, until, today)
    if until < base or (not is_over and until == base):
        text = Sentence("The membership runs until %(day)s; renew it for longer.", day=base.isoformat())
        raise Unprocessable("invalid_term", text, errors={"until": text})
    if is_over:
        membership.starts_at = now
    membership.ends_at = localtime.end_of_day(until, zone)
    membership.dropped_at = None
    return _noted(session, membership, card, "renewed", term, by=by, now=now)


def leave(session: Session, club: Club, card: Card, *, reason: str, by: str, now: datetime) -> ClubMembership:
    """End a membership at once.

    Raises: Conflict `not_in_club`.
    """
    card = cards.lock(session, card.id)
    membership = _of(session, club, card)
    if membership is None or membership.ends_at <= now:
        raise Conflict("not_in_club", "This card is not in the club.")
    membership.ends_at = membership.dropped_at = now
    membership.starts_at = min(membership.starts_at, now)
    return _noted(session, membership, card, "ended", Term(reference=reason), by=by, now=now)


def over(session: Session, *, now: datetime, limit: int) -> list[int]:
    """Memberships that are over and still on their cards."""
    query = select(ClubMembership.id).where(ClubMembership.dropped_at.is_(None), ClubMembership.ends_at <= now)
    return list(session.scalars(query.order_by(ClubMembership.ends_at).limit(limit)))


def drop(session: Session, membership_id: int, *, now: datetime) -> bool:
    """Take a membership that is over off its card; False if another process did, or it was renewed meanwhile."""
    mine = update(ClubMembership).where(
        ClubMembership.id == membership_id, ClubMembership.dropped_at.is_(None), ClubMembership.ends_at <= now
    )
    dropped = mine.values(dropped_at=now).execution_options(synchronize_session=False)
    if rows_changed(session, dropped) != 1:
        return False
    query = select(Card).join(ClubMembership, ClubMembership.member_id == Card.member_id)
    card = session.scalars(query.where(ClubMembership.id == membership_id)).one()
    cards.touch(session, card, lane=Lane.NORMAL, now=now)
    return True


def segments(session: Session, member_id: int, *, now: datetime) -> frozenset[str]:
    """What rules may ask of a member: "club:<slug>" for each club that they are in at *now*."""
    query = select(Club.slug).join(ClubMembership, ClubMembership.club_id == Club.id)
    running = query.where(
        ClubMembership.member_id == member_id, ClubMembership.starts_at <= now, ClubMembership.ends_at > now
    )
    return frozenset(f"club:{slug}" for slug in session.scalars(running))


def segment_names(session: Session, programme_id: int) -> dict[str, str]:
    """The names of a programme's clubs by what rules call them."""
    rows = session.execute(select(Club.slug, Club.name).where(Club.programme_id == programme_id))
    return {f"club:{row.slug}": row.name for row in rows}


def of_member(session: Session, member_id: int) -> list[ClubMembership]:
    """A member's memberships, also those that are over, the last to end first."""
    query = select(ClubMembership).where(ClubMembership.member_id == member_id)
    return list(
        session.scalars(
            query.options(joinedload(ClubMembership.club).joinedload(Club.programme)).order_by(
                ClubMembership.ends_at.desc()
            )
        )
    )


def terms(session: Session, membership: ClubMembership) -> list[ClubTerm]:
    """How a membership came about, oldest first."""
    return list(session.scalars(select(ClubTerm).where(ClubTerm.membership_id == membership.id).order_by(ClubTerm.id)))


def of_programme(session: Session, programme_id: int) -> list[Club]:
    """A programme's clubs, live ones first."""
    query = select(Club).where(Club.programme_id == programme_id).options(joinedload(Club.programme))
    return list(session.scalars(query.order_by(Club.state == "ended", Club.id)))


def by_id(session: Session, public_id: str) -> Club:
    """A club by its public id.

    Raises: NotFound `unknown_club`.
    """
    query = select(Club).where(Club.public_id == public_id).options(joinedload(Club.programme))
    found = session.scalars(query).one_or_none()
    if found is None:
        raise NotFound("unknown_club", "There is no such club.")
    return found


def last_day(membership: ClubMembership) -> date:
    """The last day on which a membership holds, in the programme's zone."""
    return _last_day(membership, membership.club.programme.timezone)


def months_on(day: date, months: int) -> date:
    """The same day so many months on; the last day of a shorter month."""
    year, month = divmod(day.month - 1 + months, 12)
    first = date(day.year + year, month + 1, 1)
    after = date(first.year + first.month // 12, first.month % 12 + 1, 1)
    return min(first + timedelta(days=day.day - 1), after - timedelta(days=1))


def _locked(session: Session, club: Club, card: Card) -> Card:
    """The card's lock makes one of two renewals wait for the other."""
    if club.state != "live":
        raise Conflict("club_over", "This club has ended; nobody can join or renew.")
    card = cards.lock(session, card.id)
    if card.programme_id != club.programme_id:
        raise Unprocessable("wrong_programme", "This card belongs to another programme.")
    if card.status != "active":
        raise Conflict("card_not_active", "This card is no longer valid; ask the customer for the new one.")
    return card


def _of(session: Session, club: Club, card: Card) -> ClubMembership | None:
    query = select(ClubMembership).where(ClubMembership.club_id == club.id, ClubMembership.member_id == card.member_id)
    whole = joinedload(ClubMembership.club).joinedload(Club.programme)
    query = query.options(whole).execution_options(populate_existing=True)
    return session.scalars(query).one_or_none()


def _noted(
    session: Session, membership: ClubMembership, card: Card, kind: str, term: Term, *, by: str, now: datetime
) -> ClubMembership:
    session.flush()
    session.add(
        ClubTerm(
            membership_id=membership.id,
            kind=kind,
            starts_at=membership.starts_at,
            ends_at=membership.ends_at,
            reference=term.reference.strip(),
            actor=by,
            at=now,
        )
    )
    cards.touch(session, card, lane=Lane.URGENT, now=now)
    return membership


def _check(draft: ClubDraft) -> None:
    errors: dict[str, str] = {}
    if not SLUG.fullmatch(draft.slug):
        errors["slug"] = "A slug has 1 to 40 small letters, digits and dashes, for example wine-club."
    if not 1 <= len(draft.name.strip()) <= LONGEST_NAME or not texts.is_showable(draft.name):
        errors["name"] = Sentence("A club has a name of 1 to %(most)s characters.", most=LONGEST_NAME)
    if len(draft.benefits) > LONGEST_BENEFITS or not texts.is_showable(draft.benefits, lines=True):
        errors["benefits"] = Sentence("Say what members get in at most %(most)s characters.", most=LONGEST_BENEFITS)
    if not 1 <= draft.term_months <= LONGEST_TERM_MONTHS:
        errors["term_months"] = Sentence("A term has 1 to %(most)s months.", most=LONGEST_TERM_MONTHS)
    for language, by_name in draft.texts.items():
        if language not in i18n.LANGUAGES:
            errors[f"texts.{language}"] = Sentence("Texts are given in %(all)s.", all=", ".join(i18n.LANGUAGES))
        for key, words in by_name.items():
            most = {"name": LONGEST_NAME, "benefits": LONGEST_BENEFITS}.get(key, 0)
            if len(words) > most or not texts.is_showable(words, lines=key == "benefits"):
                errors[f"texts.{language}.{key}"] = "This is too long, or holds a character that cannot be shown."
    if errors:
        raise Unprocessable("invalid_club", " ".join(errors.values()), errors=errors)


def _check_since(since: date, today: date) -> None:
    if abs((since - today).days) > FURTHEST_DAYS:
        text = "A membership starts within ten years of today."
        raise Unprocessable("invalid_term", text, errors={"since": text})


def _check_term(term: Term, since: date, until: date, today: date) -> None:
    errors: dict[str, str] = {}
    if until < since:
        errors["until"] = "The end comes after the start."
    elif until < today:
        errors["until"] = "This membership would be over already; choose a day in the future."
    elif (until - today).days > FURTHEST_DAYS:
        errors["until"] = "A membership ends within ten years."
    if len(term.reference) > LONGEST_REFERENCE or not texts.is_showable(term.reference):
        errors["reference"] = Sentence("A reference has at most %(most)s characters.", most=LONGEST_REFERENCE)
    if errors:
        raise Unprocessable("invalid_term", " ".join(errors.values()), errors=errors)


def _today(club: Club, now: datetime) -> date:
    return localtime.wall_clock(now, club.programme.timezone).date()


def _last_day(membership: ClubMembership, zone: str) -> date:
    return localtime.wall_clock(membership.ends_at - timedelta(milliseconds=1), zone).date()
