"""How an offer will look: drawn from the real pass and the real Google objects of a real member."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app import i18n
from app.cards.models import Card, Programme
from app.offers.service import OfferDraft
from app.wallets.apple import add as apple
from app.wallets.google import face as google
from app.wallets.google import service as google_service
from app.wallets.view import CardView, OfferView, card_view
from app.world import World
from passes.errors import PassError
from passes.google import encode


@dataclass(frozen=True, kw_only=True)
class Preview:
    """One member's cards in one language, and the line on the lock screen. `problem` says what a wallet refuses."""

    language: str
    language_name: str
    member: str
    lock_screen: str
    apple_json: Mapping[str, Any]
    google_class: Mapping[str, Any]
    google_object: Mapping[str, Any]
    images: Mapping[str, str]
    timezone: str
    problem: str = ""


def sample_card(session: Session, programme: Programme, tier_id: int | None) -> Card | None:
    """The youngest card of the audience."""
    query = select(Card).where(Card.programme_id == programme.id, Card.status == "active")
    if tier_id is not None:
        query = query.where(Card.tier_id == tier_id)
    return session.scalars(query.order_by(Card.id.desc()).limit(1)).first()


def read(
    session: Session, programme: Programme, draft: OfferDraft, *, now: datetime, kept_as: str = ""
) -> CardView | None:
    """A real member's card as it will be once the offer is live; None while the audience is empty.

    *kept_as*: the public id of the offer if it exists, so that a live one is not drawn twice.
    """
    card = sample_card(session, programme, draft.tier.id if draft.tier else None)
    if card is None:
        return None
    view = card_view(session, card, now=now)
    others = [one for one in view.offers if one.public_id != kept_as]
    return view.with_offers([*others, offer_view(draft)])


def offer_view(draft: OfferDraft) -> OfferView:
    """A draft as if it were live."""
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
    )


def draw(world: World, view: CardView, draft: OfferDraft, pictures: Mapping[str, str]) -> list[Preview]:
    """The faces in every language, the programme's own first; where a text is missing, the members see what is here."""
    wanted = dict.fromkeys([view.programme.language, *i18n.LANGUAGES])
    return [_in_language(world, view, draft, one, pictures) for one in wanted]


def pictures_of(session: Session, programme: Programme, base_url: str) -> dict[str, str]:
    """Addresses of the programme's pictures, by slot."""
    return google_service.picture_addresses(session, programme.id, base_url)


def _in_language(
    world: World, view: CardView, draft: OfferDraft, language: str, pictures: Mapping[str, str]
) -> Preview:
    shown = replace(view, language=language)
    offer = offer_view(draft)
    place = google.place(world.settings)
    issuer = place.issuer or "0"
    place = replace(place, issuer=issuer)
    faces: dict[str, Any] = {"apple_json": {}, "google_class": {}, "google_object": {}}
    problem = ""
    try:
        identifier = google.object_id(issuer, world.vault, view.serial)
        google_class = encode.body(google.loyalty_class(view.programme, view.tier, pictures, at=place))
        told = encode.message_body(google.message(offer, language, notify=draft.announce))
        faces = {
            "apple_json": apple.pass_json(world, shown),
            "google_class": {**google_class, "messages": [told]},
            "google_object": encode.body(google.loyalty_object(shown, id=identifier, at=place)),
        }
    except PassError as refused:
        problem = str(refused)
    return Preview(
        language=language,
        language_name=i18n.NAMES[language],
        member=view.short_name,
        lock_screen=offer.title_in(language) if draft.announce else "",
        images=_images(view, pictures),
        timezone=view.programme.timezone,
        problem=problem,
        **faces,
    )


def _images(view: CardView, pictures: Mapping[str, str]) -> dict[str, str]:
    """As addresses on this site, whatever host it is looked at from."""
    own = {slot: "/assets/" + address.rsplit("/assets/", 1)[-1] for slot, address in pictures.items()}
    return {"logo": f"/assets/default/{view.programme.slug}-logo.png", **own}
