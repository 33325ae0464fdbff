"""A card with addresses, and the shorthand to change, claim and settle."""

from dataclasses import dataclass

from sqlalchemy.orm import Session

from app.cards import service as cards
from app.cards.models import Card, Programme
from app.clock import milliseconds
from app.outbox import claims, service
from app.outbox.claims import Claim, SenderRef, Settlement
from app.outbox.models import Target
from app.outbox.rules import Lane
from app.world import World
from tests import factories


@dataclass
class Kit:
    """One world, one programme, one sender; cards are made on demand."""

    world: World
    sender: SenderRef
    programme_id: int

    @property
    def sender_id(self) -> int:
        return self.sender.id

    @property
    def now_ms(self) -> int:
        return milliseconds(self.world.clock())

    def card(self, *, channel: str = "google", address_id: int = 1, name: str = "Ayşe Yılmaz") -> int:
        """A card whose address has everything."""
        with self.world.database.unit_of_work() as session:
            programme = session.get_one(Programme, self.programme_id)
            card = factories.card(session, programme, name)
            self.register(session, card.id, channel=channel, address_id=address_id, done=card.version)
            return card.id

    def register(self, session: Session, card_id: int, *, channel: str, address_id: int, done: int) -> Target:
        return service.ensure_target(
            session, channel=channel, sender_id=self.sender_id, card_id=card_id, address_id=address_id,
            want=done, done=done, now_ms=self.now_ms,
        )  # fmt: skip

    def change(self, card_id: int, lane: Lane = Lane.URGENT) -> int:
        with self.world.database.unit_of_work() as session:
            return cards.touch(session, session.get_one(Card, card_id), lane=lane, now=self.world.clock())

    def claim(self, lane: Lane = Lane.URGENT, *, channel: str = "google", limit: int = 100) -> Claim | None:
        with self.world.database.unit_of_work() as session:
            return claims.claim(session, self.sender, channel=channel, lane=lane, limit=limit, now_ms=self.now_ms)

    def claim_one(self, lane: Lane = Lane.URGENT, *, channel: str = "google") -> Claim:
        claim = self.claim(lane, channel=channel)
        assert claim is not None
        assert len(claim.rows) == 1
        return claim

    def settle(self, claim: Claim, version: int, action: str = "done", **over: object) -> int:
        """One outcome for every row of a claim; how many leases were lost."""
        all = [Settlement(target_id=one.id, action=action, version=version, **over) for one in claim.rows]  # type: ignore[arg-type]
        with self.world.database.unit_of_work() as session:
            return claims.settle(session, claim, [], all, now_ms=self.now_ms)

    def target(self, card_id: int) -> Target:
        with self.world.database.reading() as session:
            return session.query(Target).filter(Target.card_id == card_id).one()


def kit_for(world: World, *, vendor: str = "google", name: str = "3388000000012345678", slug: str = "kahve") -> Kit:
    with world.database.unit_of_work() as session:
        programme = factories.programme(session, slug=slug)
        sender = service.sender_for(session, vendor, name)
        return Kit(world=world, sender=SenderRef(sender.id, vendor, name), programme_id=programme.id)
