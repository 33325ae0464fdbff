"""An installation with a programme, a card, and somebody who listens."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from app.cards.models import Card, Programme
from app.outbox.models import Message
from app.webhooks import endpoints, kinds, service
from app.webhooks.deliver import Deliverer
from app.webhooks.models import Endpoint
from app.world import World
from tests import factories
from tests.app.webhooks.sink import Sink, sink
from tests.conftest import MovableClock


@dataclass(kw_only=True)
class House:
    """What the tests of this room start from; `sink` is allowed as a neighbour."""

    world: World
    programme: Programme
    card: Card
    sink: Sink
    deliverer: Deliverer
    secrets: dict[int, str] = field(default_factory=dict)

    def allow(self, *neighbours: str) -> None:
        allowed = self.world.settings.webhook_allow | set(neighbours)
        self.world = replace(self.world, settings=replace(self.world.settings, webhook_allow=frozenset(allowed)))

    def listen(self, url: str | None = None, *, events: Any = None, whole: bool = False) -> Endpoint:
        """An endpoint of the programme (`whole`: of the installation)."""
        with self.world.database.unit_of_work() as session:
            made, secret = endpoints.create(
                session,
                url=url or self.sink.url,
                programme_id=None if whole else self.programme.id,
                events=events,
                description="",
                now=self.world.clock(),
            )
        self.secrets[made.id] = secret
        return made

    def announce(self, kind: str = kinds.CARD_UPDATED, **data: Any) -> None:
        with self.world.database.unit_of_work() as session:
            service.announce(
                session, programme_id=self.programme.id, kind=kind, data=data, card=self.card, now=self.world.clock()
            )

    def deliver(self) -> None:
        """Until nothing is due."""
        while self.deliverer.deliver_due(self.world):
            pass

    def jobs(self) -> list[Message]:
        with self.world.database.reading() as session:
            return list(session.scalars(select(Message).where(Message.kind == "webhook").order_by(Message.event_id)))

    def fresh(self, endpoint: Endpoint) -> Endpoint:
        with self.world.database.reading() as session:
            return session.get_one(Endpoint, endpoint.id)

    def change(self, endpoint: Endpoint, **over: Any) -> None:
        with self.world.database.unit_of_work() as session:
            endpoints.change(session, endpoints.by_id(session, endpoint.public_id, to_change=True), **over)


def move_in(world: World, at: Sink, deliverer: Deliverer) -> House:
    with world.database.unit_of_work() as session:
        programme = factories.programme(session, now=world.clock())
        card = factories.card(session, programme, now=world.clock())
    made = House(world=world, programme=programme, card=card, sink=at, deliverer=deliverer)
    made.allow(at.neighbour)
    return made


@pytest.fixture
def receiving() -> Iterator[Sink]:
    with sink() as made:
        yield made


@pytest.fixture
def deliverer() -> Iterator[Deliverer]:
    made = Deliverer(threads=4)
    yield made
    made.close()


@pytest.fixture
def house(world: World, receiving: Sink, deliverer: Deliverer) -> House:
    return move_in(world, receiving, deliverer)


@pytest.fixture
def any_house(any_world: World, receiving: Sink, deliverer: Deliverer) -> House:
    return move_in(any_world, receiving, deliverer)


@pytest.fixture
def identity_folder(tmp_path: Path, clock: MovableClock) -> Path:
    return tmp_path / "authority"
