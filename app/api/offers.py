"""Offers: scheduled, read, called off."""

from typing import Any

from sqlalchemy import select

from app.api import incoming, listing, outgoing, shapes
from app.api.calls import Body, Call, Operation, unknown
from app.cards import expansion
from app.cards.models import Programme, Tier
from app.delivery import reach
from app.errors import AppError, Unprocessable
from app.offers import service as offers
from app.offers.models import Offer
from app.offers.service import OfferDraft

ALL = "all"


def create_offer(call: Call) -> Body:
    """Schedule an offer."""
    body: dict[str, Any] = dict(call.body)
    programme = call.programme(body.pop("programme"))
    tier = _tier(programme, body.pop("segment"))
    body["timezone"] = body["timezone"] or programme.timezone
    draft = OfferDraft(programme=programme, tier=tier, **body)
    offer = offers.create(call.session, draft, by=call.caller.actor, now=call.now)
    call.record("offer_created", f"offer:{offer.public_id}", segment=tier.name if tier else ALL)
    return _in_full(call, offer, programme.public_id)


def read_offer(call: Call) -> Body:
    """One offer."""
    offer = offer_named(call, call.path["offer"])
    return _in_full(call, offer, offer.programme.public_id)


def list_offers(call: Call) -> Body:
    """The offers that the key may see."""
    query = select(Offer, Programme.public_id).join(Programme, Programme.id == Offer.programme_id)
    return listing.answer(call, "offers", query, Offer, shapes.offer)


def cancel_offer(call: Call) -> Body:
    """Call an offer off."""
    offer = offer_named(call, call.path["offer"])
    offers.cancel(call.session, offer, now=call.now)
    call.record("offer_cancelled", f"offer:{offer.public_id}")
    return _in_full(call, offer, offer.programme.public_id)


def stop_offer(call: Call) -> Body:
    """Bring a live offer to no further card."""
    offer = offer_named(call, call.path["offer"])
    offers.stop_spreading(call.session, offer, by=call.caller.actor, now=call.now)
    call.record("offer_spreading_stopped", f"offer:{offer.public_id}")
    return _in_full(call, offer, offer.programme.public_id)


def _in_full(call: Call, offer: Offer, owner: str) -> Body:
    audience = reach.crowd(call.session, offer.programme_id, offer.tier_id)
    found = reach.of(call.session, offer.programme_id, audience, call.settings)
    newest = next(iter(expansion.of_offer(call.session, offer.id)), None)
    change = None
    if newest is not None:
        now = expansion.progress(call.session, newest, now=call.now)
        change = shapes.bulk_change(now, reach.seconds_left(call.session, now, call.settings))
    return {**shapes.offer(offer, owner), "reach": shapes.reach(found), "change": change}


def offer_named(call: Call, name: str) -> Offer:
    """The offer of that id, if the key may see it.

    Raises: NotFound `unknown_offer`.
    """
    try:
        found = offers.by_id(call.session, name)
    except AppError:
        raise unknown("offer", name) from None
    if not call.caller.sees(found.programme_id):
        raise unknown("offer", name)
    return found


def _tier(programme: Programme, segment: str) -> Tier | None:
    if segment == ALL:
        return None
    for tier in programme.tiers:
        if segment in {shapes.tier_id(tier.id), tier.name}:
            return tier
    known = ", ".join(f'"{tier.name}"' for tier in programme.tiers)
    text = 'In this release a segment is "all", or the id or the name of one of the programme\'s tiers'
    text += f": {known}." if known else "; this programme has no tiers."
    raise Unprocessable("unknown_segment", text, errors={"segment": text})


OPERATIONS = (
    Operation(
        method="POST",
        rule="/offers",
        name="create_offer",
        summary="Schedule an offer",
        description=(
            "At its start it appears on the cards of those it is for, and they are pushed; announce also puts its "
            "title on the lock screen; at its end it leaves."
        ),
        tag="offers",
        scope="write",
        work=create_offer,
        body=incoming.NewOffer,
        answer=outgoing.OfferInFull,
        status=201,
    ),
    Operation(
        method="GET",
        rule="/offers",
        name="list_offers",
        summary="List offers",
        tag="offers",
        work=list_offers,
        query=incoming.PageOfProgramme,
        answer=outgoing.OfferPage,
    ),
    Operation(
        method="GET",
        rule="/offers/<offer>",
        name="read_offer",
        summary="Read an offer",
        tag="offers",
        work=read_offer,
        answer=outgoing.OfferInFull,
    ),
    Operation(
        method="POST",
        rule="/offers/<offer>/cancel",
        name="cancel_offer",
        summary="Call an offer off",
        description="Before its start it never appears; a live one leaves the cards at once.",
        tag="offers",
        scope="write",
        work=cancel_offer,
        answer=outgoing.OfferInFull,
    ),
    Operation(
        method="POST",
        rule="/offers/<offer>/stop",
        name="stop_offer",
        summary="Bring an offer to no further card",
        description=(
            "It stays live on the cards that have it, and comes with the next change of the others. To take it off "
            "the cards, cancel it."
        ),
        tag="offers",
        scope="write",
        work=stop_offer,
        answer=outgoing.OfferInFull,
        refusals=(409,),
    ),
)
