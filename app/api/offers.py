"""Offers: made, approved, scheduled, changed, paused, read, called off."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from sqlalchemy import select

from app import money
from app.api import listing, offers_shapes, paging, shapes
from app.api import offers_answers as answers
from app.api.calls import Body, Call, Operation, unknown
from app.api.incoming import PageOfProgramme
from app.api.offers_answers import MONEY, TARGETED
from app.cards.models import Card, Programme, Store
from app.errors import AppError, Unprocessable
from app.offers import service as offers
from app.offers.models import Offer, Redemption
from app.offers.service import BudgetDraft, OfferDraft
from app.segments import service as segments

SHARED = (
    "title", "body", "texts", "starts_at", "ends_at", "timezone", "limit_per_card", "limit_total", "announce", "kind",
    "terms", "windows", "by_store", "grace_min", "needs_code", "combines",
)  # fmt: skip


def create_offer(call: Call) -> Body:
    """Schedule an offer, or keep it as a draft."""
    body = call.body
    programme = call.programme(body["programme"])
    body["timezone"] = body["timezone"] or programme.timezone
    draft = OfferDraft(programme=programme, **_asked(call, programme, body))
    make = offers.make_draft if body["draft"] else offers.create
    offer = make(call.session, draft, by=call.caller.actor, now=call.now)
    call.record("offer_created", f"offer:{offer.public_id}", segment=body["segment"], state=offer.state)
    return answers.in_full(call, offer, programme)


def read_offer(call: Call) -> Body:
    """One offer."""
    offer = offer_named(call, call.path["offer"])
    return answers.in_full(call, offer, offer.programme)


def list_offers(call: Call) -> Body:
    """The offers that the key may see."""
    query = select(Offer, Programme).join(Programme, Programme.id == Offer.programme_id)
    found, following = listing.rows(call, "offers", query, Offer)
    return paging.answer(answers.answered(call, [(row[0], row[1]) for row in found]), following)


def change_offer(call: Call) -> Body:
    """Change an offer; what is left out stays."""
    offer = offer_named(call, call.path["offer"])
    _check_levels(offer, call.body)
    asked = vars(offers.draft_of(call.session, offer)) | _asked(call, offer.programme, call.body)
    voided = offers.edit(call.session, offer, OfferDraft(**asked), now=call.now)
    call.record("offer_changed", f"offer:{offer.public_id}", fields=sorted(call.body), approval_void=voided)
    return answers.in_full(call, offer, offer.programme)


def duplicate_offer(call: Call) -> Body:
    """A draft with the same words, value and limits."""
    offer = offer_named(call, call.path["offer"])
    copy = offers.duplicate(call.session, offer, by=call.caller.actor, now=call.now)
    call.record("offer_duplicated", f"offer:{copy.public_id}", of=offer.public_id)
    return answers.in_full(call, copy, offer.programme)


def list_uses(call: Call) -> Body:
    """Who used it where and when, and what it took off and gave; those taken back too."""
    offer = offer_named(call, call.path["offer"])
    query = select(Redemption, Card.number).join(Card, Card.id == Redemption.card_id)
    query = query.where(Redemption.offer_id == offer.id)
    name = f"offer uses {offer.id}"
    if call.query["cursor"]:
        query = query.where(Redemption.id > int(paging.place_of(call.vault, name, call.query["cursor"])))
    limit = call.query["limit"]
    rows = call.session.execute(query.order_by(Redemption.id).limit(limit + 1)).all()
    found, following = paging.page(call.vault, name, rows, limit, place=lambda row: row[0].id)
    stores = shapes.store_ids(call.session, {row[0].store_id for row in found if row[0].store_id is not None})
    currency = offer.programme.currency
    return paging.answer([answers.use(row[0], row[1], stores, currency) for row in found], following)


def _approve(call: Call, offer: Offer) -> None:
    offers.approve(call.session, offer, by=call.caller.actor)


def _schedule(call: Call, offer: Offer) -> None:
    offers.schedule(call.session, offer, now=call.now)


def _pause(call: Call, offer: Offer) -> None:
    offers.pause(call.session, offer, now=call.now)


def _resume(call: Call, offer: Offer) -> None:
    offers.resume(call.session, offer, now=call.now)


def _cancel(call: Call, offer: Offer) -> None:
    offers.cancel(call.session, offer, now=call.now)


def _archive(call: Call, offer: Offer) -> None:
    offers.archive(call.session, offer)


def _stop(call: Call, offer: Offer) -> None:
    offers.stop_spreading(call.session, offer, by=call.caller.actor, now=call.now)


def _turned(work: Callable[[Call, Offer], None], action: str) -> Callable[[Call], Body]:
    """Do something to the offer of the address, and answer how it stands then."""

    def turn(call: Call) -> Body:
        offer = offer_named(call, call.path["offer"])
        work(call, offer)
        call.record(action, f"offer:{offer.public_id}")
        return answers.in_full(call, offer, offer.programme)

    return turn


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


def _asked(call: Call, programme: Programme, body: Mapping[str, Any]) -> dict[str, Any]:
    """What a body says, as parts of a draft; only what it says.

    Raises: Unprocessable `unknown_segment`, `unknown_store` or `invalid_offer`.
    """
    found = {name: body[name] for name in SHARED if name in body}
    if "segment" in body:
        found |= _audience(call, programme, body["segment"])
    if "tiers" in body:
        found["tiers"] = [*found.get("tiers", ()), *(_tier(programme, name) for name in body["tiers"])]
    if "stores" in body:
        found["stores"] = _stores(call, programme, body["stores"])
    if "budgets" in body:
        found["budgets"] = [_budget(one, at, programme.currency) for at, one in enumerate(body["budgets"])]
    return found


def _check_levels(offer: Offer, body: Mapping[str, Any]) -> None:
    """See that a new segment says what becomes of several levels that the offer is for.

    Raises: Unprocessable `invalid_offer`.
    """
    if "segment" in body and "tiers" not in body and len(offer.tiers) > 1:
        text = "This offer is for several tiers: send tiers too, those that it is for from now on, or an empty list."
        raise Unprocessable("invalid_offer", text, errors={"tiers": text})


def _audience(call: Call, programme: Programme, name: str) -> dict[str, Any]:
    if name == TARGETED:
        return {"audience": TARGETED, "segment_id": None, "tiers": ()}
    try:
        found = segments.named(call.session, programme, name)
    except AppError:
        raise _unknown_segment(programme, "segment") from None
    if found.segment is not None:
        return {"audience": "segment", "segment_id": found.segment.id, "tiers": ()}
    return {"audience": "all", "segment_id": None, "tiers": (found.tier.id,) if found.tier else ()}


def _tier(programme: Programme, name: str) -> int:
    for tier in programme.tiers:
        if name in {shapes.tier_id(tier.id), tier.name}:
            return tier.id
    raise _unknown_segment(programme, "tiers")


def _unknown_segment(programme: Programme, field: str) -> Unprocessable:
    known = ", ".join(f'"{tier.name}"' for tier in programme.tiers)
    text = 'A segment is "all", "targeted", the id of a segment, or the id or the name of one of the programme\'s tiers'
    text += f": {known}." if known else "; this programme has no tiers."
    return Unprocessable("unknown_segment", text, errors={field: text})


def _stores(call: Call, programme: Programme, names: Iterable[str]) -> list[int]:
    query = select(Store.public_id, Store.id).where(Store.programme_id == programme.id, Store.public_id.in_(names))
    found = {row.public_id: row.id for row in call.session.execute(query)}
    for name in names:
        if name not in found:
            text = "There is no such store in this programme."
            raise Unprocessable("unknown_store", text, errors={"stores": text})
    return list(found.values())


def _budget(body: Mapping[str, Any], at: int, currency: str) -> BudgetDraft:
    where, text = f"budgets.{at}.most", body["most"]
    if body["measure"] == MONEY:
        return BudgetDraft(measure=MONEY, period=body["period"], most=_minor(text, currency, where))
    if not (text.isascii() and text.isdigit() and len(text) <= 12):
        told = "Write a whole number above zero."
        raise Unprocessable("invalid_offer", told, errors={where: told})
    return BudgetDraft(measure=body["measure"], period=body["period"], most=int(text))


def _minor(text: str, currency: str, field: str) -> int:
    return money.minor_units(text, currency, field=field)


def _turn(name: str, work: Callable[[Call, Offer], None], action: str, summary: str, description: str) -> Operation:
    return Operation(
        method="POST",
        rule=f"/offers/<offer>/{name}",
        name=f"{name}_offer",
        summary=summary,
        description=description,
        tag="offers",
        scope="write",
        work=_turned(work, action),
        answer=offers_shapes.OfferInFull,
        refusals=(409,),
    )


OPERATIONS = (
    Operation(
        method="POST",
        rule="/offers",
        name="create_offer",
        summary="Schedule an offer",
        description=(
            "At its start it appears on the cards of those it is for, and they are pushed; announce also puts its "
            "title on the lock screen; at its end it leaves. What it gives is used with a purchase (`offers` of earn)."
        ),
        tag="offers",
        scope="write",
        work=create_offer,
        body=offers_shapes.NewOffer,
        answer=offers_shapes.OfferInFull,
        status=201,
    ),
    Operation(
        method="GET",
        rule="/offers",
        name="list_offers",
        summary="List offers",
        tag="offers",
        work=list_offers,
        query=PageOfProgramme,
        answer=offers_shapes.OfferPage,
    ),
    Operation(
        method="GET",
        rule="/offers/<offer>",
        name="read_offer",
        summary="Read an offer, with its budgets and the most that it can come to",
        tag="offers",
        work=read_offer,
        answer=offers_shapes.OfferInFull,
    ),
    Operation(
        method="PATCH",
        rule="/offers/<offer>",
        name="change_offer",
        summary="Change an offer",
        description=(
            "What is left out stays. Limits, budgets and announce may change at any time; anything else makes it a "
            "draft again, takes it off the cards, and its approval is void."
        ),
        tag="offers",
        scope="write",
        work=change_offer,
        body=offers_shapes.OfferChange,
        answer=offers_shapes.OfferInFull,
        refusals=(409,),
    ),
    Operation(
        method="POST",
        rule="/offers/<offer>/duplicate",
        name="duplicate_offer",
        summary="Make a draft with the same words, value and limits",
        description="If the time of the offer is over, the draft's is some whole weeks later.",
        tag="offers",
        scope="write",
        work=duplicate_offer,
        answer=offers_shapes.OfferInFull,
        status=201,
    ),
    Operation(
        method="GET",
        rule="/offers/<offer>/uses",
        name="list_offer_uses",
        summary="List the uses of an offer",
        tag="offers",
        work=list_uses,
        query=offers_shapes.UsesPage,
        answer=offers_shapes.OfferUsePage,
    ),
    _turn("approve", _approve, "offer_approved", "Approve a draft", "What is approved is what is given."),
    _turn("schedule", _schedule, "offer_scheduled", "Schedule an approved offer", "It starts and ends by itself."),
    _turn("pause", _pause, "offer_paused", "Pause an offer", "It leaves the cards until it goes on."),
    _turn(
        "resume",
        _resume,
        "offer_resumed",
        "Let a paused offer go on",
        "One whose budget is spent goes on by itself when there is room again.",
    ),
    _turn(
        "cancel",
        _cancel,
        "offer_cancelled",
        "Call an offer off",
        "Before its start it never appears; a live one leaves the cards at once.",
    ),
    _turn("archive", _archive, "offer_archived", "Put an offer away", "One that is over, or that never was approved."),
    _turn(
        "stop",
        _stop,
        "offer_spreading_stopped",
        "Bring an offer to no further card",
        "It stays live on the cards that have it, and comes with the next change of the others. To take it off the "
        "cards, cancel it.",
    ),
)
