"""How a campaign will look: the cards of real members, drawn from their real pass and Google objects."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from app.campaigns import texts
from app.marketing import preview
from app.marketing.preview import Drawn, Dressed, Material
from app.offers.models import Offer
from app.wallets import messages
from app.wallets.google import face as google
from app.wallets.messages import MessageView
from app.wallets.promises import OfferView, offer_view
from app.wallets.view import CardView
from app.world import World

LASTS = timedelta(days=7)


@dataclass(frozen=True, kw_only=True)
class Words:
    """What is to be drawn, and when it leaves: the message, the offer whose words stand where it has none, each card's
    fields."""

    message: Mapping[str, Any]
    offer: Offer | None
    language: str
    numbers: Mapping[int, Mapping[str, Any]]
    leaves_at: datetime

    def said(self, view: CardView, language: str) -> tuple[str, str]:
        """Title and body for one member in one language."""
        if not self.message:
            return _of_offer(self.offer, language)
        return texts.filled(self.message, language, self.numbers.get(view.card_id, {}))


def draw(world: World, found: Material, words: Words, *, now: datetime) -> list[Drawn]:
    """Each member in every language, their own first."""

    def dress(view: CardView, language: str) -> Dressed:
        told = _told(view, words, language, now)
        missing = texts.unfilled(words.message, language, words.numbers.get(view.card_id, {})) if words.message else ()
        return Dressed(
            view=view.with_offers(_offers(view, words.offer)).with_message(told),
            body=told.body,
            on_object=[google.campaign_message(told, language, notify=True)],
            unfilled=tuple(missing),
        )

    return preview.draw(world, found, dress, language=words.language)


def _told(view: CardView, words: Words, language: str, now: datetime) -> MessageView:
    title, body = words.said(view, language)
    return MessageView(
        id="preview",
        run_id=0,
        line=messages.line_of(title, words.leaves_at, language=language, zone=view.programme.timezone),
        title=title or " ",
        body=body,
        starts_at=now,
        ends_at=words.offer.ends_at if words.offer else now + LASTS,
        alert=True,
    )


def _offers(view: CardView, offer: Offer | None) -> list[OfferView]:
    """Those that stand on the card, with the one that comes with the message."""
    if offer is None:
        return list(view.offers)
    others = [one for one in view.offers if one.public_id != offer.public_id]
    return [*others, replace(offer_view(offer, view.programme.currency), announce=False)]


def _of_offer(offer: Offer | None, language: str) -> tuple[str, str]:
    if offer is None:
        return "", ""
    own = offer.texts.get(language, {})
    return own.get("title") or offer.title, own.get("body") or offer.body
