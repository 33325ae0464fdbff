"""How an offer will look on the cards of real members of its audience."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement
from sqlalchemy.orm import Session

from app.cards import ranges
from app.cards.models import Card, Programme
from app.cards.ranges import Audience
from app.marketing import preview
from app.marketing.preview import Drawn, Dressed, Face, Material
from app.offers import hours, terms
from app.offers.drafts import OfferDraft
from app.segments import service as segments
from app.segments.models import Segment
from app.wallets.google import face as google
from app.wallets.google import service as google_service
from app.wallets.google import vehicles
from app.wallets.google.vehicles import Vehicle
from app.wallets.promises import OfferView
from app.wallets.view import CardView
from app.world import World


@dataclass(frozen=True, kw_only=True)
class Preview:
    """One member's cards in one language, and the line on the lock screen. `problem` says what a wallet refuses.

    `who`: the member in words. `is_cut`: the lock screen has no room for the whole line.
    """

    who: str
    language: str
    language_name: str
    member: str
    lock_screen: str
    is_cut: bool
    apple_json: Mapping[str, Any]
    google_class: Mapping[str, Any]
    google_object: Mapping[str, Any]
    images: Mapping[str, str]
    timezone: str
    problem: str = ""


def read(
    session: Session, programme: Programme, draft: OfferDraft, *, now: datetime, kept_as: str = ""
) -> list[CardView]:
    """The cards of three members of its audience who differ in language and level; none while there is nobody.

    *kept_as*: the public id of the offer if it exists, so that a live one is not drawn twice.
    """
    views = preview.people(session, _wanted(session, programme, draft, now), now=now)
    return [one.with_offers(other for other in one.offers if other.public_id != kept_as) for one in views]


def draw(world: World, views: Sequence[CardView], draft: OfferDraft, pictures: Mapping[str, str]) -> list[Preview]:
    """Their cards as they will be once the offer is live: the first in every language, the others in their own."""
    offer = offer_view(draft)

    def dress(view: CardView, language: str) -> Dressed:
        others = [replace(one, announce=False) for one in view.offers]  # this one is the news
        shown = replace(view, message=None).with_offers([*others, offer])
        dressed = Dressed(view=shown, body=offer.body_in(language))
        match vehicles.of_offer(offer):
            case Vehicle.CLASS_MESSAGE:
                return replace(dressed, on_class=[google.message(offer, language, notify=True)])
            case Vehicle.CLASS_MODULE:
                return replace(dressed, promoted=[offer])
            case Vehicle.OBJECT_MESSAGE:
                return replace(dressed, on_object=[google.own_message(offer, language, notify=True)])
            case Vehicle.OBJECT_MODULE:
                return dressed

    found = Material(views=views, pictures=pictures)
    drawn = preview.draw(world, found, dress, language=draft.programme.language)
    return [
        _preview(member, face)
        for member in drawn
        for face in (member.faces if member.number == 1 else member.faces[:1])
    ]


def pictures_of(session: Session, programme: Programme, base_url: str) -> dict[str, str]:
    """Addresses of the programme's pictures, by slot."""
    return google_service.picture_addresses(session, programme.id, base_url)


def _preview(member: Drawn, face: Face) -> Preview:
    return Preview(
        who=" · ".join(part for part in (member.name, member.level, face.language_name) if part),
        language=face.language,
        language_name=face.language_name,
        member=member.name,
        lock_screen=face.line,
        is_cut=face.is_cut,
        apple_json=face.apple_json,
        google_class=face.google_class,
        google_object=face.google_object,
        images=member.images,
        timezone=member.timezone,
        problem=face.problem,
    )


def offer_view(draft: OfferDraft) -> OfferView:
    """A draft as if it were live."""
    currency = draft.programme.currency
    return OfferView(
        id=0,
        public_id="preview",
        title=draft.title,
        body=draft.body,
        texts=draft.texts,
        starts_at=draft.starts_at,
        ends_at=draft.ends_at,
        timezone=draft.timezone,
        announce=draft.announce,
        kind=draft.kind,
        terms=terms.of(draft.kind, draft.terms, currency),
        currency=currency,
        windows=tuple(hours.kept(draft.windows)),
        limit_per_card=draft.limit_per_card,
        needs_code=draft.needs_code,
        tiers=frozenset(draft.tier_ids),
        audience=draft.audience,
        segment_id=draft.segment_id if draft.audience == "segment" else None,
    )


def _wanted(session: Session, programme: Programme, draft: OfferDraft, now: datetime) -> Sequence[ColumnElement[bool]]:
    """A segment is asked for live: that of a draft may not be kept yet."""
    tiers = Audience(programme_id=programme.id, tiers=tuple(draft.tier_ids))
    segment = session.get(Segment, draft.segment_id) if draft.audience == "segment" and draft.segment_id else None
    if segment is None:
        return [*ranges.audience(tiers), Card.kind == "loyalty"]
    return [*ranges.audience(tiers), *segments.audience(session, programme.id, segment=segment, now=now)]
