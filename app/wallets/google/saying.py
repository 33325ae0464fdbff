"""What is said to one member on their object: a campaign's message, and announced offers that are for some."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import case, update
from sqlalchemy.orm import Session

from app.campaigns.models import CardMessage, Recipient
from app.outbox.claims import Claimed
from app.wallets.google import face, notices, service, vehicles
from app.wallets.google.client import GoogleClient
from app.wallets.google.exchange import Wanted
from app.wallets.google.models import GoogleObject
from app.wallets.google.notices import Notice, Told
from app.wallets.google.vehicles import MESSAGES_MAX, Vehicle
from app.wallets.view import CardView
from passes.google import encode
from passes.google.answers import Answer

NEWS_FOR = timedelta(hours=24)
QUOTA = "wallet_quota"


@dataclass(frozen=True, kw_only=True)
class News:
    """Messages to come, and ids of those that no longer hold though their time is not over.

    `known`: what stands on the object, as far as we know. `drops_all`: the member was erased.
    """

    new: tuple[Notice, ...] = ()
    gone: frozenset[str] = frozenset()
    known: tuple[Mapping[str, Any], ...] = ()
    drops_all: bool = False

    @property
    def must_drop(self) -> bool:
        """Whether something has to be taken off, as being gone or for want of room."""
        return bool(self.gone) or (bool(self.new) and len(self.known) + len(self.new) > MESSAGES_MAX)

    @property
    def is_anything(self) -> bool:
        return bool(self.new) or self.must_drop

    def is_gone(self, message_id: str) -> bool:
        return self.drops_all or message_id in self.gone


NOTHING = News()


def news(card: CardView, known: GoogleObject, *, left: int, now: datetime) -> News:
    """What a card still has to be told. *left*: how many messages may sound today."""
    stands = {str(one["id"]) for one in known.messages}
    if card.status == "erased":
        return News(gone=frozenset(stands), known=tuple(known.messages), drops_all=bool(stands))
    if not card.is_valid:
        return NOTHING
    since = max(known.created_at, now - NEWS_FOR)
    wanted = {one.message_id: one for one in (*_offers(card, since), *_campaign(card, since))}
    over = {str(one["id"]) for one in known.messages if one["ends"] <= now.timestamp() * 1000}
    gone = {one for one in stands - over if one.startswith(face.OFFER) and one not in wanted}
    new = [one for one in wanted.values() if one.message_id not in stands]
    return News(new=tuple(_within(new, left)), gone=frozenset(gone), known=tuple(known.messages))


def say(
    client: GoogleClient, wanted: Wanted, told_of: News, told: Told, *, given: Answer | None, now: datetime
) -> None:
    """Take off what is gone, then add what is new. *given*: what was answered already to the first message."""
    if told_of.must_drop:
        room = max(0, MESSAGES_MAX - len(told_of.new))
        if not notices.drop(client, wanted, told_of.is_gone, told, now=now, room=room):
            return
    notices.add_all(client, wanted, told_of.new, told, given=given)


def settled(session: Session, said: Sequence[tuple[Claimed, News, Told]], *, now: datetime) -> None:
    """Keep what stands on the objects now, the alerts that were spent, and who was told without a sound."""
    rows: list[dict[str, Any]] = []
    sounded: list[tuple[int, int]] = []
    muted: list[tuple[int, int]] = []
    for target, told_of, told in sorted(said, key=lambda one: one[0].address_id):
        if told.added or told.removed:
            known = notices.still_known(told_of.known, told, told_of.is_gone, now)
            rows.append({"id": target.address_id, "messages": known})
        for notice, alerted in told.added:
            if alerted:
                _spend(session, target.address_id, 1, now)
            if target.card_id is not None and notice.key is not None and (alerted or notice.is_owed):
                (sounded if alerted else muted).append((notice.key, target.card_id))
        if told.muted:
            _spend(session, target.address_id, service.NEWS_MAX, now)
    if rows:
        session.execute(update(GoogleObject), rows)
    for run_id, cards in _by_run(sounded).items():
        mine = update(CardMessage).where(CardMessage.run_id == run_id, CardMessage.card_id.in_(cards))
        session.execute(mine.values(alerted_at=now).execution_options(synchronize_session=False))
    for run_id, cards in _by_run(muted).items():
        mine = update(Recipient).where(Recipient.run_id == run_id, Recipient.card_id.in_(cards))
        note = case((Recipient.note == "", QUOTA), else_=Recipient.note + " " + QUOTA)
        mine = mine.where(Recipient.note.not_like(f"%{QUOTA}"))
        session.execute(mine.values(note=note).execution_options(synchronize_session=False))


def _spend(session: Session, object_row_id: int, count: int, now: datetime) -> None:
    service.spend_alert(session, scope="object", scope_id=object_row_id, budget="message", now=now, count=count)


def _by_run(pairs: Sequence[tuple[int, int]]) -> Mapping[int, list[int]]:
    found: dict[int, list[int]] = {}
    for run_id, card_id in sorted(pairs):
        found.setdefault(run_id, []).append(card_id)
    return found


def _offers(card: CardView, since: datetime) -> list[Notice]:
    """What started before *since* (long ago, or before anybody held the card) is no news."""
    found = []
    for offer in sorted(card.offers, key=lambda one: one.starts_at):
        if vehicles.of_offer(offer) is Vehicle.OBJECT_MESSAGE:
            silent, alerting = (face.own_message(offer, card.language, notify=notify) for notify in (False, True))
            found.append(
                Notice(
                    key=None,
                    message_id=silent.id,
                    ends_at=offer.ends_at,
                    silent=encode.message_body(silent),
                    alerting=encode.message_body(alerting)
                    if offer.starts_at >= since and not offer.was_told_to_all
                    else None,
                )
            )
    return found


def _campaign(card: CardView, since: datetime) -> list[Notice]:
    said = card.message
    if said is None:
        return []
    silent, alerting = (face.campaign_message(said, card.language, notify=notify) for notify in (False, True))
    return [
        Notice(
            key=said.run_id,
            message_id=said.id,
            ends_at=said.ends_at,
            silent=encode.message_body(silent),
            alerting=encode.message_body(alerting) if said.alert and said.starts_at >= since else None,
            is_owed=said.alert and said.starts_at >= since,
        )
    ]


def _within(new: Sequence[Notice], left: int) -> list[Notice]:
    """The newest may sound first, the campaign's being the last of them."""
    worth = [one.message_id for one in new if one.alerting is not None]
    alerting = set(worth[-left:]) if left > 0 else set()
    return [one if one.message_id in alerting else replace(one, alerting=None) for one in new]
