"""Google's stand-in on a real socket, and a world that is configured to use it."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy.orm import Session

from app import ids
from app.cards import service as cards
from app.cards.models import Card, Programme, Tier
from app.clock import milliseconds
from app.delivery.engine import Engine
from app.offers.models import Offer
from app.outbox.models import Target
from app.outbox.rules import Lane
from app.outbox.service import raise_classes
from app.sandbox.google.stand_in import GoogleRecord, GoogleStandIn
from app.sandbox.sandbox import Sandbox
from app.wallets.google.add import save_url
from app.wallets.google.class_push import GoogleClassChannel
from app.wallets.google.models import GoogleClass, GoogleObject
from app.wallets.google.push import GoogleChannel
from app.world import World
from tests import factories
from tests.conftest import MovableClock, open_test_world, settings_for


@pytest.fixture(scope="module")
def running_sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    with Sandbox(tmp_path_factory.mktemp("sandbox")) as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(running_sandbox: Sandbox) -> Sandbox:
    running_sandbox.google.reset()
    return running_sandbox


@pytest.fixture
def clock() -> MovableClock:
    """Signatures and tokens are judged by the real time."""
    return MovableClock(datetime.now(UTC).replace(microsecond=0))


@pytest.fixture
def world(sqlite_url: str, tmp_path: Path, sandbox: Sandbox, clock: MovableClock) -> Iterator[World]:
    settings = settings_for(
        sqlite_url,
        tmp_path,
        google_wallet_url=sandbox.google_url,
        google_credentials=sandbox.google_credentials,
        google_issuer_id=sandbox.google_issuer_id,
        google_root_keys_url=sandbox.root_keys_url,
        google_save_url=sandbox.save_url_prefix,
        google_rate=1000,
    )
    made = open_test_world(settings, clock)
    yield made
    made.database.close()


@dataclass
class Stage:
    """A programme on Google's stand-in, with the shorthand that its tests speak."""

    world: World
    clock: MovableClock
    google: GoogleStandIn
    engine: Engine
    programme_id: int
    seen: int = field(default=0)

    def card(self, name: str = "Ayşe Yılmaz") -> int:
        with self.world.database.unit_of_work() as session:
            programme = session.get_one(Programme, self.programme_id)
            return factories.card(session, programme, name, now=self.clock()).id

    def saved_card(self, name: str = "Ayşe Yılmaz") -> int:
        """A card whose link was asked for, with nothing left to deliver."""
        card_id = self.card(name)
        save_url(self.world, card_id)
        self.deliver()
        self.forget()
        return card_id

    def touch(self, card_id: int, lane: Lane = Lane.URGENT) -> None:
        with self.world.database.unit_of_work() as session:
            cards.touch(session, session.get_one(Card, card_id), lane=lane, now=self.clock())

    def offer(
        self,
        title: str = "Kahve bizden",
        *,
        hours: int = 48,
        tier_id: int | None = None,
        announce: bool = True,
        starts_in_h: int = 0,
    ) -> int:
        with self.world.database.unit_of_work() as session:
            programme = session.get_one(Programme, self.programme_id)
            now = self.clock() + timedelta(hours=starts_in_h)
            offer = Offer(
                public_id=ids.public_id("off"), programme_id=programme.id,
                tier_id=tier_id, title=title, body="Bu hafta her fincanda.", texts={"en": {"title": "Coffee on us"}},
                starts_at=now, ends_at=now + timedelta(hours=hours), timezone="Europe/Istanbul",
                announce=announce, state="scheduled" if starts_in_h else "live", created_by="test", created_at=now,
            )  # fmt: skip
            session.add(offer)
            session.flush()
            self.classes_changed(session)
            return offer.id

    def go_live(self, offer_id: int) -> None:
        self._state(offer_id, "live")

    def end(self, offer_id: int) -> None:
        self._state(offer_id, "ended")

    def _state(self, offer_id: int, state: str) -> None:
        with self.world.database.unit_of_work() as session:
            session.get_one(Offer, offer_id).state = state
            self.classes_changed(session)

    def classes_changed(self, session: Session) -> None:
        raise_classes(session, programme_id=self.programme_id, lane=Lane.NORMAL, now_ms=milliseconds(self.clock()))

    def deliver(self, rounds: int = 3) -> None:
        """Let time pass and serve every lane, as the runner does."""
        for _ in range(rounds):
            self.clock.advance(seconds=6)
            for channel in self.engine.channels:
                for lane in Lane:
                    self.engine.drain(channel, lane)

    def forget(self) -> None:
        """What was asked of Google until now is no longer of interest."""
        self.seen = len(self.google.requests)

    @property
    def asked(self) -> list[GoogleRecord]:
        return [one for one in self.google.requests[self.seen :] if one.operation not in {"token"}]

    @property
    def operations(self) -> list[str]:
        return [one.operation for one in self.asked]

    def object_of(self, card_id: int) -> dict[str, object]:
        return self.google.objects[self.object_row(card_id).object_id]

    def object_row(self, card_id: int) -> GoogleObject:
        with self.world.database.reading() as session:
            return session.query(GoogleObject).filter(GoogleObject.card_id == card_id).one()

    def class_rows(self) -> list[GoogleClass]:
        with self.world.database.reading() as session:
            return session.query(GoogleClass).order_by(GoogleClass.id).all()

    def target(self, card_id: int) -> Target:
        with self.world.database.reading() as session:
            return session.query(Target).filter(Target.card_id == card_id, Target.channel == "google").one()

    def tier(self, name: str) -> Tier:
        with self.world.database.reading() as session:
            return session.query(Tier).filter(Tier.name == name).one()


@pytest.fixture
def stage(world: World, clock: MovableClock, sandbox: Sandbox) -> Stage:
    with world.database.unit_of_work() as session:
        programme_id = factories.programme(session, now=clock()).id
    objects = GoogleChannel(world)
    engine = Engine(world=world, channels={"google": objects, "google_class": GoogleClassChannel(objects)})
    return Stage(world=world, clock=clock, google=sandbox.google, engine=engine, programme_id=programme_id)
