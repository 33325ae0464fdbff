"""A whole iPhone against the service: it verifies everything, and its lock screen says what a person would see."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from app.backups import service as backups
from app.cards import service as cards
from app.cards.models import Card, Member, Programme
from app.counter import sales
from app.counter.moves import Actor
from app.counter.pricing import Sale
from app.delivery import census, steps
from app.delivery.engine import Engine
from app.offers import service as offers
from app.offers.service import OfferDraft
from app.outbox.models import Target
from app.outbox.rules import Lane
from app.sandbox.apple_phone import ApplePhone
from app.sandbox.sandbox import Sandbox
from app.wallets.apple.add import signed_pass, signed_pass_by_link
from app.wallets.apple.issuer import issuer
from app.wallets.apple.models import Device, Registration
from app.wallets.apple.push import AppleChannel
from app.world import World
from tests.conftest import MovableClock

TILL = Actor(name="Can", channel="till")


@dataclass(kw_only=True)
class Town:
    """A card, its phone, and delivery done by hand."""

    world: World
    clock: MovableClock
    card: Card
    phone: ApplePhone
    engine: Engine

    @property
    def serial(self) -> str:
        return self.card.serial

    def join(self) -> None:
        verdict = self.phone.add(signed_pass_by_link(self.world, self.card.link).content)
        assert verdict.accepted, verdict.reasons
        assert self.phone.wait_until(lambda phone: phone.is_registered(self.serial) and phone.is_idle)
        self.deliver()

    def earn(self, amount_minor: int) -> None:
        with self.world.database.unit_of_work() as session:
            card = session.get_one(Card, self.card.id)
            sales.earn(session, card, Sale(amount_minor=amount_minor, currency="TRY"), by=TILL, now=self.clock())

    def deliver(self) -> None:
        """Let the windows pass, send until nothing is due, and let the phone fetch what it was told of."""
        self.clock.advance(seconds=6)
        steps.tick(self.world)
        while steps.expand(self.world):
            pass
        while any(self.engine.drain("apple", lane) for lane in Lane):
            pass
        self.phone.wait_until(lambda phone: phone.is_idle or phone.device.airplane)

    def shows(self, key: str, value: object) -> bool:
        return self.phone.wait_until(lambda phone: phone.shows(self.serial, key) == value and phone.is_idle)


@pytest.fixture
def town(world: World, clock: MovableClock, card: Card, sandbox: Sandbox, tmp_path: Path) -> Iterator[Town]:
    root = sandbox.ca_file.read_bytes()
    phone = ApplePhone(sandbox.hub, tmp_path / "phone", root_pem=root, retry_delays_s=(0.1, 0.2))
    engine = Engine(world=world, channels={"apple": AppleChannel(world)})
    yield Town(world=world, clock=clock, card=card, phone=phone, engine=engine)
    phone.close()


def test_points_earned_at_the_till_reach_the_phone_and_its_lock_screen(town: Town) -> None:
    town.join()

    town.earn(12_00)
    town.deliver()

    assert town.shows("balance", 1)
    assert town.phone.lock_screen == ["New balance: 1"]


def test_the_phone_finds_nothing_to_complain_of(town: Town) -> None:
    verdict = town.phone.add(signed_pass(town.world, town.card.id).content)

    assert verdict.accepted
    assert list(verdict.reasons) == []


def test_ten_changes_at_once_are_one_push_and_the_last_balance(town: Town, sandbox: Sandbox) -> None:
    town.join()
    before = sandbox.apns.count

    for _ in range(10):
        town.earn(10_00)
    town.deliver()

    assert town.shows("balance", 10)
    assert sandbox.apns.count == before + 1


def test_two_changes_within_one_second_both_arrive(town: Town) -> None:
    town.join()

    for balance in (1, 2):
        town.earn(10_00)
        while town.engine.drain("apple", Lane.URGENT):
            pass
        town.phone.pull_to_refresh(town.serial)
        assert town.shows("balance", balance)


def test_a_change_during_the_push_is_pushed_as_well(town: Town, sandbox: Sandbox) -> None:
    town.join()
    town.earn(10_00)
    channel = town.engine.channels["apple"]
    town.clock.advance(seconds=6)
    begun = threading.Event()

    class Slow:
        name = "apple"
        prepare, settled = channel.prepare, channel.settled

        def push(self, errands: object) -> object:
            begun.set()
            town.earn(10_00)
            return channel.push(errands)  # type: ignore[arg-type]

    Engine(world=town.world, channels={"apple": Slow()}).drain("apple", Lane.URGENT)  # type: ignore[dict-item]
    assert begun.is_set()
    town.deliver()

    assert town.shows("balance", 2)


def test_a_phone_that_was_off_is_current_when_it_comes_back(town: Town) -> None:
    town.join()
    town.phone.set_airplane_mode(True)
    town.earn(10_00)
    town.deliver()
    town.earn(10_00)
    town.deliver()

    town.phone.set_airplane_mode(False)

    assert town.shows("balance", 2)


def test_a_phone_with_a_new_push_token_is_current(town: Town) -> None:
    town.join()

    town.phone.change_push_token()
    assert town.phone.wait_until(lambda phone: phone.is_registered(town.serial) and phone.is_idle)
    town.earn(10_00)
    town.deliver()

    assert town.shows("balance", 1)
    with town.world.database.reading() as session:
        assert session.scalars(select(Device)).one().push_token == town.phone.device.push_token


def test_a_token_that_changes_after_the_push_loses_nothing(town: Town) -> None:
    town.join()
    town.phone.set_airplane_mode(True)
    town.earn(10_00)
    town.deliver()

    town.phone.change_push_token()
    town.phone.set_airplane_mode(False)
    assert town.phone.wait_until(lambda phone: phone.is_registered(town.serial) and phone.is_idle)
    town.deliver()

    assert town.shows("balance", 1)


def test_an_offer_arrives_with_a_sound_and_leaves_in_silence(town: Town) -> None:
    town.join()
    starts_at = town.clock() + timedelta(minutes=1)
    with town.world.database.unit_of_work() as session:
        draft = OfferDraft(
            programme=session.scalars(select(Programme)).one(),
            title="Double points",
            body="On every cup.",
            starts_at=starts_at,
            ends_at=starts_at + timedelta(hours=1),
            timezone="Europe/Istanbul",
        )
        offers.create(session, draft, by="test", now=town.clock())
    town.deliver()
    assert town.phone.shows(town.serial, "offer") is None

    town.clock.advance(minutes=1)
    town.deliver()
    assert town.shows("offer", "Double points")
    heard = list(town.phone.lock_screen)
    town.clock.advance(hours=1)
    town.deliver()

    assert town.shows("offer", None)
    assert len(heard) == 1
    assert heard[0].startswith("Double points – until")
    assert town.phone.lock_screen == heard


def test_a_deleted_card_is_unregistered_and_never_pushed_again(town: Town, sandbox: Sandbox) -> None:
    town.join()
    before = sandbox.apns.count

    town.phone.delete(town.serial)
    assert town.phone.wait_until(lambda phone: phone.is_idle)
    town.earn(10_00)
    town.deliver()

    assert sandbox.apns.count == before
    with town.world.database.reading() as session:
        assert session.scalars(select(Registration)).all() == []
        assert [one.state for one in session.scalars(select(Target))] == ["gone"]


def test_an_erased_card_turns_grey_and_names_nobody(town: Town) -> None:
    town.join()
    with town.world.database.unit_of_work() as session:
        cards.erase(session, session.get_one(Member, town.card.member_id), now=town.clock())
    town.deliver()

    assert town.shows("member", None)
    assert town.phone.shows(town.serial, "tier") == "No longer valid"
    assert town.phone.lock_screen == []


def test_what_the_phone_fetched_is_known(town: Town) -> None:
    town.join()
    town.earn(10_00)
    town.deliver()
    assert town.shows("balance", 1)
    issuer(town.world).fetched.write()

    with town.world.database.reading() as session:
        target = session.scalars(select(Target)).one()
    assert (target.want, target.done, target.fetched) == (2, 2, 2)


def test_a_phone_that_asked_before_it_was_told_is_current_once_it_is_told(town: Town) -> None:
    town.join()
    town.earn(10_00)
    town.phone.pull_to_refresh(town.serial)
    assert town.shows("balance", 1)
    issuer(town.world).fetched.write()

    town.deliver()
    assert town.phone.wait_until(lambda phone: phone.is_idle)

    with town.world.database.reading() as session:
        (ledger,) = census.count_now(session, now=town.clock())
    assert (ledger.current, ledger.told) == (1, 0)
    town.clock.advance(hours=7)
    assert steps.follow_up_silence(town.world) == 0


def test_after_a_restore_the_phone_goes_back_to_what_the_books_say(town: Town, tmp_path: Path) -> None:
    town.world.settings.var_dir.mkdir(exist_ok=True)
    town.join()
    town.earn(10_00)
    town.deliver()
    backups.back_up(town.world, tmp_path / "nightly.db", lambda _table, _rows: None)
    for _ in range(3):
        town.earn(100_00)
        town.deliver()
    assert town.shows("balance", 31)

    backups.restore(town.world, tmp_path / "nightly.db", lambda _table, _rows: None, replace=True)
    town.deliver()

    assert town.shows("balance", 1)
