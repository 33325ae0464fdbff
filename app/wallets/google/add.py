"""The link that puts a card into Google Wallet: class and object are made first, then ids are signed, nothing else."""

import time
from dataclasses import dataclass

from sqlalchemy import update
from sqlalchemy.orm import Session

from app.cards import service as cards
from app.clock import milliseconds
from app.errors import Busy, Conflict, NotFound
from app.outbox import pace
from app.outbox.pace import Pace
from app.outbox.rules import Lane
from app.outbox.service import ensure_target, sender_for
from app.wallets import view as views
from app.wallets.google import face, service
from app.wallets.google.client import GoogleClient, shared_client
from app.wallets.google.exchange import Exchange, Wanted, bring
from app.wallets.google.models import GoogleClass, GoogleObject
from app.wallets.google.push import ensure_class
from app.wallets.view import CardView
from app.world import World
from passes.errors import InvalidPass
from passes.google import answers, encode, patch, save_link
from passes.google.answers import Answer
from passes.google.ids import Kind, ResourceId
from passes.google.meaning import Meaning
from passes.google.model import Resource
from passes.google.save_link import ObjectRef
from passes.google.schema import Body

CALLS_FOR_A_NEW_CARD = 2
RETRY_AFTER_S = 30
TRY_LATER = "Google Wallet cannot take the card at the moment. Please try again in a minute."


@dataclass(frozen=True, kw_only=True)
class Facts:
    """A card, and what Google knows of it."""

    view: CardView
    object_row: GoogleObject
    class_row: GoogleClass
    class_body: Body
    sender_id: int


@dataclass(frozen=True, kw_only=True)
class Made:
    """An object that this caller made, and whether somebody holds it."""

    body: Body
    has_users: bool | None


def save_url(world: World, card_id: int, client: GoogleClient | None = None) -> str:
    """The address of Google's page that saves this card.

    Asking again is harmless: the object is made once and kept up to date by delivery from then on.

    Raises: NotFound `unknown_card`; Conflict `card_not_valid`; Busy `google_not_configured` or `google_unavailable`,
        with a time to try again; Busy `unusable_card`, if Google would refuse what the programme's data make.
    """
    if not service.is_ready(world.settings):
        raise Busy("google_not_configured", "Google Wallet is not configured here.")
    client = client or shared_client(world)
    signer = client.account().signer
    facts = world.database.transact(lambda session: _facts(session, world, card_id))
    if facts.object_row.sent is None:
        _create(world, client, facts)
    object_id = ResourceId.parse(facts.object_row.object_id)
    reference = ObjectRef(kind=Kind.LOYALTY_OBJECT, id=object_id, class_id=ResourceId.parse(facts.class_row.class_id))
    prefix = world.settings.google_save_url.rstrip("/") + "/"
    origins = [world.settings.base_url]
    return save_link.save_link(signer, [reference], origins=origins, at=world.clock(), prefix=prefix)


def _facts(session: Session, world: World, card_id: int) -> Facts:
    now, settings = world.clock(), world.settings
    view = views.card_views(session, [card_id], now).get(card_id)
    if view is None:
        raise NotFound("unknown_card", "There is no such card.")
    if not view.is_valid:
        raise Conflict("card_not_valid", "This card is no longer valid.")
    sender = sender_for(session, "google", settings.google_issuer_id)
    at = face.place(settings)
    rows = {}
    for tier in service.tiers_of(view.programme):
        tier_id = tier.id if tier else None
        of = (view.programme.id, tier_id, str(face.class_id(at.issuer, view.programme, tier)))
        rows[tier_id] = ensure_class(session, of, sender.id, now=now)
    object_id = str(face.object_id(at.issuer, world.vault, view.serial))
    pictures = service.picture_addresses(session, view.programme.id, settings.base_url)
    return Facts(
        view=view,
        object_row=service.object_row(session, card_id=card_id, object_id=object_id, now=now),
        class_row=rows[view.tier.id if view.tier else None],
        class_body=_encoded(face.loyalty_class(view.programme, view.tier, pictures, at=at)),
        sender_id=sender.id,
    )


def _encoded(resource: Resource) -> Body:
    try:
        return encode.body(resource)
    except InvalidPass as problem:
        raise Busy("unusable_card", TRY_LATER, detail=str(problem)) from problem


def _create(world: World, client: GoogleClient, facts: Facts) -> None:
    """Make what is missing at Google, then remember it and register the object for delivery."""
    at = face.place(world.settings)
    _wait_for_turn(world, facts.sender_id)
    class_done = None
    if facts.class_row.sent is None:
        class_done = bring(client, Wanted(kind=Kind.LOYALTY_CLASS, body=facts.class_body, sent=None, certain=True))
        _check(world, client, facts.sender_id, class_done)
    object_id = ResourceId.parse(facts.object_row.object_id)
    body = _encoded(face.loyalty_object(facts.view, id=object_id, at=at))
    wanted = Wanted(
        kind=Kind.LOYALTY_OBJECT, body=body, sent=None, certain=True, class_body=facts.class_body, yielding=True
    )
    done = bring(client, wanted)
    there_already = done.answer is not None and done.answer.meaning is Meaning.ALREADY_EXISTS
    if not there_already:
        _check(world, client, facts.sender_id, done)
    made = None if there_already else Made(body=body, has_users=answers.has_users(done.read))
    world.database.transact(lambda session: _remember(session, world, facts, made, class_done is not None))


def _wait_for_turn(world: World, sender_id: int) -> None:
    """Somebody waits for the page, so a second is spent on waiting, and no more."""

    def reserve(session: Session) -> pace.Slot | None:
        budget = Pace(rate_per_s=world.settings.google_rate)
        now_ms = milliseconds(world.clock())
        return pace.reserve(session, sender_id, budget, count=CALLS_FOR_A_NEW_CARD, lane=Lane.URGENT, now_ms=now_ms)

    slot = world.database.transact(reserve)
    if slot is None:
        raise Busy("google_unavailable", TRY_LATER, detail="pace or breaker", retry_after_s=RETRY_AFTER_S)
    time.sleep(max(0, min(slot.start_ms - milliseconds(world.clock()), 1_000)) / 1000)


def _check(world: World, client: GoogleClient, sender_id: int, done: Exchange) -> None:
    """Raise what the customer is told; what Google said about its sender counts for delivery as well."""
    if not done.delivered and done.answer is not None:
        answer = done.answer
        world.database.transact(lambda session: _learn(session, world, client, sender_id, answer))
        detail = f"{answer.status} {answer.meaning.value}: {answer.reason} {answer.message}"
        raise Busy("google_unavailable", TRY_LATER, detail=detail, retry_after_s=answer.retry_after_s or RETRY_AFTER_S)


def _learn(session: Session, world: World, client: GoogleClient, sender_id: int, answer: Answer) -> None:
    if answer.meaning is Meaning.RATE:
        now_ms = milliseconds(world.clock())
        budget = Pace(rate_per_s=world.settings.google_rate)
        pace.slow_down(session, sender_id, budget, retry_after_s=answer.retry_after_s, now_ms=now_ms)
    elif answer.opens:
        pace.open_until_mended(session, sender_id, client.words_for_breaker(answer))


def _remember(session: Session, world: World, facts: Facts, made: Made | None, class_made: bool) -> None:
    """Register the object for delivery. If somebody else made it, what it holds is unknown and it is owed everything:
    delivery writes it under its lease, so that no two of us ever write one object at a time."""
    if class_made:
        values = {"sent": facts.class_body, "sent_hash": patch.fingerprint(facts.class_body)}
        session.execute(update(GoogleClass).where(GoogleClass.id == facts.class_row.id).values(values))
    if made is not None:
        known = {"sent": made.body, "sent_hash": patch.fingerprint(made.body), "has_users": made.has_users}
        session.execute(update(GoogleObject).where(GoogleObject.id == facts.object_row.id).values(known))
    cards.lock(session, facts.view.card_id)
    ensure_target(
        session,
        channel="google",
        sender_id=facts.sender_id,
        card_id=facts.view.card_id,
        address_id=facts.object_row.id,
        want=facts.view.version,
        done=facts.view.version if made is not None else 0,
        now_ms=milliseconds(world.clock()),
    )
