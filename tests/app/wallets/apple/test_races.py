"""A registration and a change of the same card, forced to meet at the worst moment, on PostgreSQL."""

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, select, text
from sqlalchemy.orm import Session

from app.cards import service as cards
from app.cards.models import Card
from app.clock import milliseconds
from app.outbox import service as outbox
from app.outbox.models import Target
from app.outbox.service import Lane
from app.wallets.apple import registrations
from app.wallets.apple.registrations import Arrival
from app.world import World
from tests import factories
from tests.conftest import MovableClock, open_test_world, settings_for

RACES = 150
TYPE = "pass.com.example.kahve"
Registration = Callable[[Session, int], None]


@pytest.fixture
def world(postgres_url: str, tmp_path: Path, clock: MovableClock) -> Iterator[World]:
    made = open_test_world(settings_for(postgres_url, tmp_path), clock)
    yield made
    made.database.close()


class Meeting:
    """Holds a registration right after it has read the card, until the change has committed or waits for a lock."""

    def __init__(self, world: World, card_id: int) -> None:
        self._world = world
        self._card_id = card_id
        self._has_read = threading.Event()
        self._has_changed = threading.Event()
        self._registrar = 0

    def run(self, registration: Registration) -> None:
        event.listen(self._world.database.engine, "after_cursor_execute", self._hold)
        racers = [threading.Thread(target=self._register, args=(registration,)), threading.Thread(target=self._change)]
        for racer in racers:
            racer.start()
        for racer in racers:
            racer.join(20)
        event.remove(self._world.database.engine, "after_cursor_execute", self._hold)
        assert self._has_read.is_set()
        assert self._has_changed.is_set()

    def _register(self, registration: Registration) -> None:
        self._registrar = threading.get_ident()
        self._world.database.transact(lambda session: registration(session, self._card_id))

    def _change(self) -> None:
        assert self._has_read.wait(10)

        def touch(session: Session) -> None:
            cards.touch(session, session.get_one(Card, self._card_id), lane=Lane.URGENT, now=self._world.clock())

        self._world.database.transact(touch)
        self._has_changed.set()

    def _hold(self, _connection: Any, _cursor: Any, statement: str, *_more: Any) -> None:
        if threading.get_ident() != self._registrar or self._has_read.is_set() or "FROM card" not in statement:
            return
        self._has_read.set()
        while not self._has_changed.is_set() and not self._somebody_waits():
            time.sleep(0.001)

    def _somebody_waits(self) -> bool:
        waiting = (
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        with self._world.database.engine.connect() as connection:
            return bool(connection.execute(text(waiting)).scalar())


def left_behind(world: World, registration: Registration, races: int) -> int:
    """How many cards have a phone that will never be told of the change."""
    with world.database.unit_of_work() as session:
        programme = factories.programme(session)
        ids = [factories.card(session, programme, f"Member {number}").id for number in range(races)]
    for card_id in ids:
        Meeting(world, card_id).run(registration)
    with world.database.reading() as session:
        behind = select(Target.id).join(Card, Card.id == Target.card_id).where(Target.want < Card.version)
        assert len(session.scalars(select(Target.id)).all()) == races
        return len(session.scalars(behind).all())


def test_no_phone_that_registers_during_a_change_is_left_behind(world: World) -> None:
    def register(session: Session, card_id: int) -> None:
        one = Arrival(
            library_identifier=f"phone {card_id}", push_token=f"{card_id:064x}", pass_type=TYPE, card_id=card_id
        )
        registrations.register(session, one, now=world.clock())

    assert left_behind(world, register, RACES) == 0


def test_without_the_cards_lock_the_same_races_leave_phones_behind(world: World) -> None:
    def register(session: Session, card_id: int) -> None:
        version = session.scalars(select(Card.version).where(Card.id == card_id)).one()
        sender = outbox.sender_for(session, "apple", TYPE)
        now_ms = milliseconds(world.clock())
        session.add(
            Target(
                channel="apple", sender_id=sender.id, card_id=card_id, address_id=card_id, want=version, done=version,
                not_before=now_ms, dirty_since=now_ms, told_at=now_ms,
            )
        )  # fmt: skip

    assert left_behind(world, register, 20) == 20
