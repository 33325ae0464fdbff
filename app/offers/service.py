"""Time-limited offers: made, opened and closed at their instants, and used at the till."""

import zoneinfo
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import func, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, joinedload

from app import i18n, ids, localtime
from app.cards import expansion
from app.cards.models import Card, Programme, Tier
from app.clock import milliseconds
from app.db import rows_changed
from app.errors import Conflict, NotFound, Sentence, Unprocessable
from app.offers.models import Occurrence, Offer, Redemption
from app.outbox import service as outbox
from app.outbox.service import Lane

LONGEST_TITLE = 60
LONGEST_BODY = 500
LONGEST_WINDOW = timedelta(days=366 * 2)


@dataclass(frozen=True, kw_only=True)
class OfferDraft:
    """An offer as it is asked for. `starts_at` and `ends_at` are aware; `texts` by language hold title and body."""

    programme: Programme
    title: str
    body: str
    starts_at: datetime
    ends_at: datetime
    timezone: str
    texts: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    tier: Tier | None = None
    announce: bool = True
    limit_per_card: int | None = None
    limit_total: int | None = None


def create(session: Session, draft: OfferDraft, *, by: str, now: datetime) -> Offer:
    """Schedule an offer; its start and its end become occurrences that fire by themselves.

    Raises: Unprocessable `invalid_offer` with a sentence for each faulty field.
    """
    errors = _problems(draft, now)
    if errors:
        raise Unprocessable("invalid_offer", " ".join(errors.values()), errors=errors)
    offer = Offer(
        public_id=ids.public_id("off"),
        programme_id=draft.programme.id,
        tier_id=draft.tier.id if draft.tier else None,
        title=draft.title.strip(),
        body=draft.body.strip(),
        texts={language: dict(words) for language, words in draft.texts.items()},
        starts_at=draft.starts_at,
        ends_at=draft.ends_at,
        timezone=draft.timezone,
        announce=draft.announce,
        limit_per_card=draft.limit_per_card,
        limit_total=draft.limit_total,
        created_by=by,
        created_at=now,
    )
    session.add(offer)
    session.flush()
    for kind, at, deadline in (("start", draft.starts_at, draft.ends_at), ("end", draft.ends_at, None)):
        meant = localtime.local_key(at, draft.timezone)
        session.add(Occurrence(offer_id=offer.id, kind=kind, fire_at=at, deadline=deadline, local_key=meant))
    session.flush()
    return offer


def cancel(session: Session, offer: Offer, *, now: datetime) -> None:
    """Call an offer off: before its start it never appears, a live one leaves the cards at once.

    Raises: Conflict `offer_over`, if it has ended or was cancelled.
    """
    was = session.scalars(select(Offer.state).where(Offer.id == offer.id).with_for_update()).one()
    if was not in {"scheduled", "live"}:
        raise Conflict("offer_over", "This offer is over; there is nothing to cancel.")
    session.execute(
        update(Occurrence).where(Occurrence.offer_id == offer.id, Occurrence.status == "due").values(status="cancelled")
    )
    offer.state = "cancelled"
    session.flush()
    if was == "live":
        _take_off(session, offer, now)


def stop_spreading(session: Session, offer: Offer, *, by: str, now: datetime) -> None:
    """Bring a live offer to no further card; it stays on those that have it, and comes with the next change of others.

    Raises: Conflict `change_over`, if it is not on its way to any card.
    """
    for spread in expansion.of_offer(session, offer.id):
        if spread.reason == "offer_started" and spread.status == "running":
            return expansion.stop(session, spread.id, by=by, now=now)
    raise Conflict("change_over", "This offer is not on its way to any card; there is nothing to stop.")


def by_id(session: Session, public_id: str) -> Offer:
    """An offer by its public id.

    Raises: NotFound `unknown_offer`.
    """
    query = (
        select(Offer).where(Offer.public_id == public_id).options(joinedload(Offer.programme), joinedload(Offer.tier))
    )
    offer = session.scalars(query).one_or_none()
    if offer is None:
        raise NotFound("unknown_offer", "There is no such offer.")
    return offer


def of_programme(session: Session, programme_id: int, *, limit: int = 100) -> list[Offer]:
    """A programme's offers, the latest start first."""
    query = select(Offer).where(Offer.programme_id == programme_id).options(joinedload(Offer.tier))
    return list(session.scalars(query.order_by(Offer.starts_at.desc(), Offer.id.desc()).limit(limit)))


def live_for(session: Session, card: Card, *, now: datetime) -> list[Offer]:
    """The offers that stand on this card at *now*, the soonest to end first."""
    return [offer for offer in live_in(session, card.programme_id, now=now) if is_for(offer, card)]


def live_in(session: Session, programme_id: int, *, now: datetime) -> list[Offer]:
    """The offers that are live in a programme at *now*, for everybody or for one tier."""
    query = select(Offer).where(
        Offer.programme_id == programme_id, Offer.state == "live", Offer.starts_at <= now, Offer.ends_at > now
    )
    return list(session.scalars(query.order_by(Offer.ends_at, Offer.id)))


def is_for(offer: Offer, card: Card) -> bool:
    """Whether this card is among those that the offer is for."""
    return is_for_tier(offer, card.tier_id)


def is_for_tier(offer: Offer, tier_id: int | None) -> bool:
    """Whether cards of this tier are among those that the offer is for; None is a card without a tier."""
    return offer.tier_id is None or offer.tier_id == tier_id


def words(offer: Offer, language: str) -> tuple[str, str]:
    """Title and body in the nearest language."""
    texts = offer.texts.get(i18n.nearest(language), {})
    return texts.get("title") or offer.title, texts.get("body") or offer.body


def refusal(session: Session, offer: Offer, card: Card, *, now: datetime) -> str | None:
    """Why this card cannot use the offer at this moment, as a code; None if it can. Server time decides."""
    counts = offer.limit_per_card is not None
    return refusal_after(offer, card, _uses(session, offer, card) if counts else 0, now=now)


def refusal_after(offer: Offer, card: Card, uses: int, *, now: datetime) -> str | None:
    """As `refusal`, for a card that has used the offer *uses* times."""
    if offer.state == "cancelled" or now >= offer.ends_at:
        return "ended"
    if now < offer.starts_at:
        return "not_started"
    if offer.programme_id != card.programme_id or card.status != "active" or not is_for(offer, card):
        return "not_eligible"
    if offer.limit_per_card is not None and uses >= offer.limit_per_card:
        return "already_used" if offer.limit_per_card == 1 else "limit_reached"
    if offer.limit_total is not None and offer.used >= offer.limit_total:
        return "budget_spent"
    return None


@dataclass(frozen=True, kw_only=True)
class Use:
    """How often a card has used an offer, and when and at which store it did so last."""

    count: int
    last_at: datetime
    store_id: int | None


def uses_by(session: Session, card_id: int, offers: Sequence[Offer]) -> dict[int, Use]:
    """What a card has used of these offers, by the offer's id, in one statement; none is asked for no offers."""
    if not offers:
        return {}
    counted = (
        select(func.count().label("count"), func.max(Redemption.id).label("last"))
        .where(
            Redemption.card_id == card_id,
            Redemption.offer_id.in_([offer.id for offer in offers]),
            Redemption.reversed_at.is_(None),
        )
        .group_by(Redemption.offer_id)
        .subquery()
    )
    query = select(Redemption.offer_id, counted.c.count, Redemption.at, Redemption.store_id)
    rows = session.execute(query.join(counted, counted.c.last == Redemption.id))
    return {offer: Use(count=count, last_at=at, store_id=store) for offer, count, at, store in rows}


REFUSALS = {
    "ended": "This offer has ended.",
    "not_started": "This offer has not started yet.",
    "not_eligible": "This offer is not for this card.",
    "already_used": "This offer was used with this card already.",
    "limit_reached": "This card has used the offer as often as it may.",
    "budget_spent": "This offer was used as often as it may be in all.",
}


def redeem(
    session: Session, offer: Offer, card: Card, *, store_id: int | None, entry_id: str, now: datetime
) -> Redemption:
    """Use an offer once. Unique use numbers and a conditional count decide between two tills, not a look beforehand.

    Raises: Conflict with the reason as its code.
    """
    session.refresh(offer, with_for_update={"of": Offer})  # PostgreSQL locks no outer-joined tier
    reason = refusal(session, offer, card, now=now)
    if reason:
        raise Conflict(reason, REFUSALS[reason])
    counted = update(Offer).where(
        Offer.id == offer.id, or_(Offer.limit_total.is_(None), Offer.used < Offer.limit_total)
    )
    if rows_changed(session, counted.values(used=Offer.used + 1).execution_options(synchronize_session=False)) != 1:
        raise Conflict("budget_spent", REFUSALS["budget_spent"])
    redemption = Redemption(
        offer_id=offer.id,
        card_id=card.id,
        use_no=_last_use_no(session, offer, card) + 1,
        entry_id=entry_id,
        store_id=store_id,
        at=now,
    )
    try:
        with session.begin_nested():
            session.add(redemption)
    except IntegrityError as problem:
        raise Conflict("already_used", REFUSALS["already_used"]) from problem
    return redemption


def give_back(session: Session, entry_id: str, *, now: datetime) -> None:
    """Undo the use that an entry recorded: the card and the total get it back, once."""
    query = select(Redemption).where(Redemption.entry_id == entry_id, Redemption.reversed_at.is_(None))
    redemption = session.scalars(query).one_or_none()
    if redemption is not None:
        redemption.reversed_at = now
        session.execute(update(Offer).where(Offer.id == redemption.offer_id).values(used=Offer.used - 1))


def next_fire_at(session: Session) -> datetime | None:
    """When the next offer starts or ends."""
    return session.scalar(select(func.min(Occurrence.fire_at)).where(Occurrence.status == "due"))


def tick(session: Session, *, now: datetime) -> int:
    """Open and close the offers that are due; how many. Several processes may call it at once: each fires once."""
    query = select(Occurrence).where(Occurrence.status == "due", Occurrence.fire_at <= now)
    due = session.scalars(query.order_by(Occurrence.fire_at, Occurrence.id).limit(100)).all()
    return sum(_fire(session, occurrence, now) for occurrence in due)


def _fire(session: Session, occurrence: Occurrence, now: datetime) -> bool:
    missed = occurrence.deadline is not None and now >= occurrence.deadline
    mine = (
        update(Occurrence)
        .where(Occurrence.id == occurrence.id, Occurrence.status == "due")
        .values(status="missed" if missed else "fired", fired_at=now)
    )
    if rows_changed(session, mine) != 1 or missed:
        return False
    offer = session.get_one(Offer, occurrence.offer_id)
    before, after = ("scheduled", "live") if occurrence.kind == "start" else ("live", "ended")
    moved = update(Offer).where(Offer.id == offer.id, Offer.state == before).values(state=after)
    if rows_changed(session, moved) != 1:
        session.execute(update(Offer).where(Offer.id == offer.id, Offer.state == "scheduled").values(state="ended"))
        return False
    session.refresh(offer)
    if after == "live":
        _put_on(session, offer, now)
    else:
        _take_off(session, offer, now)
    return True


def _put_on(session: Session, offer: Offer, now: datetime) -> None:
    expansion.start(
        session,
        programme_id=offer.programme_id,
        tier_id=offer.tier_id,
        reason="offer_started",
        offer_id=offer.id,
        now=now,
    )
    _tell_classes(session, offer, now)


def _take_off(session: Session, offer: Offer, now: datetime) -> None:
    """Touch every card that may show the offer: those it was brought to, and of the rest those that changed or reached
    a phone while it was live. What was still on its way to cards goes no further."""
    spread = next((one for one in expansion.of_offer(session, offer.id) if one.reason == "offer_started"), None)
    if spread is not None:
        expansion.halt(session, spread, by="offer_ended", now=now)
    cut_short = spread is not None and spread.status == "stopped"
    expansion.start(
        session,
        programme_id=offer.programme_id,
        tier_id=offer.tier_id,
        reason="offer_ended",
        offer_id=offer.id,
        now=now,
        all_up_to=spread.cursor_card_id if spread is not None and cut_short else None,
        changed_since=spread.created_at if spread is not None and cut_short else None,
    )
    _tell_classes(session, offer, now)


def _tell_classes(session: Session, offer: Offer, now: datetime) -> None:
    outbox.raise_classes(session, programme_id=offer.programme_id, lane=Lane.NORMAL, now_ms=milliseconds(now))


def _uses(session: Session, offer: Offer, card: Card) -> int:
    query = select(func.count()).where(
        Redemption.offer_id == offer.id, Redemption.card_id == card.id, Redemption.reversed_at.is_(None)
    )
    return session.scalar(query) or 0


def _last_use_no(session: Session, offer: Offer, card: Card) -> int:
    query = select(func.max(Redemption.use_no)).where(Redemption.offer_id == offer.id, Redemption.card_id == card.id)
    return session.scalar(query) or 0


def _problems(draft: OfferDraft, now: datetime) -> dict[str, str]:
    errors = _text_problems(draft)
    if draft.ends_at <= draft.starts_at:
        errors["ends_at"] = "The end comes after the start."
    elif draft.ends_at <= now:
        errors["ends_at"] = "This offer would be over already; choose an end in the future."
    elif draft.ends_at - draft.starts_at > LONGEST_WINDOW:
        errors["ends_at"] = "An offer lasts two years at most."
    if draft.timezone not in zoneinfo.available_timezones():
        errors["timezone"] = "Write an IANA time zone such as Europe/Istanbul."
    if draft.tier is not None and draft.tier.programme_id != draft.programme.id:
        errors["segment"] = "This tier belongs to another programme."
    for name in ("limit_per_card", "limit_total"):
        limit = getattr(draft, name)
        if limit is not None and not 1 <= limit <= 10**9:
            errors[name] = "A limit is a whole number above zero; leave it out for no limit."
    return errors


def _text_problems(draft: OfferDraft) -> dict[str, str]:
    errors = _word_problems("", draft.title, draft.body)
    if not draft.title.strip():
        errors["title"] = "An offer has a title; it is what the lock screen shows."
    for language, texts in draft.texts.items():
        if language not in i18n.LANGUAGES:
            errors[f"texts.{language}"] = f"Texts are given in {', '.join(i18n.LANGUAGES)}."
        errors.update(_word_problems(f"texts.{language}.", texts.get("title", ""), texts.get("body", "")))
    return errors


def _word_problems(where: str, title: str, body: str) -> dict[str, str]:
    errors: dict[str, str] = {}
    if len(title) > LONGEST_TITLE:
        errors[f"{where}title"] = Sentence(
            "The wallets show %(most)s characters of a title; this has %(num)s.", most=LONGEST_TITLE, num=len(title)
        )
    if len(body) > LONGEST_BODY:
        errors[f"{where}body"] = Sentence(
            "The text has at most %(most)s characters; this has %(num)s.", most=LONGEST_BODY, num=len(body)
        )
    if any(ord(c) < 32 and c != "\n" for c in title + body):
        errors[f"{where}body"] = "The text holds a character that cannot be shown; type it again."
    return errors
