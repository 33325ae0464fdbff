"""The whole life of offers and messages on an iPhone: they appear, sound once, change in silence, and leave."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from sqlalchemy import select

from app.cards import service as cards
from app.cards.models import Card, Programme
from app.counter import sales
from app.counter.pricing import Sale
from app.delivery import departures
from app.delivery.engine import Engine
from app.offers import grants
from app.offers import service as offers
from app.offers.models import Offer, Redemption
from app.offers.service import OfferDraft
from app.outbox.service import Lane
from app.sandbox.apple_phone import ApplePhone
from app.sandbox.sandbox import Sandbox
from app.segments.models import Segment, SegmentMember
from app.wallets.apple.add import signed_pass
from app.wallets.apple.push import AppleChannel
from app.world import World
from passes.apple.lint import lint
from tests.app.wallets import telling
from tests.app.wallets.apple.test_phone import TILL, Town
from tests.conftest import MovableClock

WORDS = {"title": "{first_name|Friend}, {points} points wait", "body": "Only {points_to_reward} to a coffee."}


@pytest.fixture
def town(world: World, clock: MovableClock, card: Card, sandbox: Sandbox, tmp_path: Path) -> Iterator[Town]:
    root = sandbox.ca_file.read_bytes()
    phone = ApplePhone(sandbox.hub, tmp_path / "phone", root_pem=root, retry_delays_s=(0.1, 0.2))
    engine = Engine(world=world, channels={"apple": AppleChannel(world)})
    town = Town(world=world, clock=clock, card=card, phone=phone, engine=engine)
    town.join()
    yield town
    phone.close()


def offer(town: Town, *, lasts: timedelta = timedelta(days=3), **more: Any) -> Offer:
    now = town.clock()
    with town.world.database.unit_of_work() as session:
        draft = OfferDraft(
            programme=session.scalars(select(Programme)).one(), title="Two for one", body="On every cup.",
            starts_at=now, ends_at=now + lasts, timezone="Europe/Istanbul", **more,
        )  # fmt: skip
        return offers.create(session, draft, by="test", now=now)


def segment(town: Town) -> int:
    with town.world.database.unit_of_work() as session:
        now = town.clock()
        found = Segment(
            public_id="seg_1", programme_id=town.card.programme_id, name="Regulars", rules={}, kept=True,
            created_by="test", created_at=now, changed_at=now,
        )  # fmt: skip
        session.add(found)
        session.flush()
        return found.id


def touch(town: Town, *rows: Any) -> None:
    with town.world.database.unit_of_work() as session:
        session.add_all(rows)
        cards.touch(session, session.get_one(Card, town.card.id), lane=Lane.NORMAL, now=town.clock())


def say(town: Town, **more: Any) -> None:
    numbers = {"points": 120, "points_to_reward": 30}
    with town.world.database.unit_of_work() as session:
        telling.say(session, [town.card.id], WORDS, now=town.clock(), numbers=numbers, **more)


def use(town: Town, found: Offer) -> None:
    """A sale with the offer, as the till writes it."""
    with town.world.database.unit_of_work() as session:
        card = session.get_one(Card, town.card.id)
        sale = Sale(amount_minor=10_00, currency="TRY")
        entry = sales.earn(session, card, sale, by=TILL, now=town.clock()).entry
        session.add(
            Redemption(
                offer_id=found.id, card_id=card.id, use_no=1, entry_id=entry.id, at=town.clock(), day="2026-11-22"
            )
        )


def end_messages(town: Town) -> None:
    departures.follow(town.world)
    town.deliver()


def complaints(town: Town, sandbox: Sandbox) -> set[str]:
    root = x509.load_pem_x509_certificate(sandbox.ca_file.read_bytes())
    content = signed_pass(town.world, town.card.id).content
    found = lint(content, at=town.world.clock(), roots=[root])
    verdict = town.phone.judge(content)
    return {one.code for one in found} - {"web-service-url-local"} | set(verdict.reasons)


def test_an_offer_appears_sounds_once_is_used_warns_and_leaves(town: Town, sandbox: Sandbox) -> None:
    found = offer(town, kind="percent", terms={"percent": "20"}, limit_per_card=1)
    town.deliver()
    assert town.shows("offer", "Two for one")
    assert "20% off" in town.phone.shows(town.serial, "offers")
    assert complaints(town, sandbox) == set()
    heard = list(town.phone.lock_screen)
    assert [one.split(" – ")[0] for one in heard] == ["Two for one"]

    town.clock.advance(days=2, hours=1)
    town.deliver()
    assert town.phone.wait_until(lambda phone: "Last day" in phone.shows(town.serial, "offers"))
    assert town.phone.lock_screen == heard

    use(town, found)
    town.deliver()
    assert town.phone.wait_until(lambda phone: "\nAlready used\n" in phone.shows(town.serial, "offers"))
    assert town.phone.lock_screen == [*heard, "New balance: 1"]
    assert complaints(town, sandbox) == set()

    town.clock.advance(days=1)
    town.deliver()
    assert town.shows("offers", "None now")
    assert town.shows("offer", None)
    assert len(town.phone.lock_screen) == 2


def test_a_phone_that_was_off_never_sees_an_offer_that_came_and_went(town: Town) -> None:
    town.phone.set_airplane_mode(True)
    offer(town, lasts=timedelta(hours=2))
    town.deliver()
    town.clock.advance(hours=3)
    town.deliver()
    town.phone.set_airplane_mode(False)
    town.earn(10_00)
    town.deliver()

    assert town.shows("balance", 1)
    assert town.phone.shows(town.serial, "offer") is None
    assert town.phone.lock_screen == ["New balance: 1"]


def test_a_segments_offer_comes_with_the_member_and_goes_with_them(town: Town) -> None:
    offer(town, audience="segment", segment_id=segment(town))
    town.deliver()
    assert town.phone.shows(town.serial, "offer") is None

    with town.world.database.reading() as session:
        segment_id = session.scalars(select(Segment.id)).one()
    touch(town, SegmentMember(card_id=town.card.id, segment_id=segment_id))
    town.deliver()
    assert town.shows("offer", "Two for one")
    assert len(town.phone.lock_screen) == 1

    with town.world.database.unit_of_work() as session:
        session.delete(session.get_one(SegmentMember, (town.card.id, segment_id)))
    touch(town)
    town.deliver()
    assert town.shows("offer", None)
    assert len(town.phone.lock_screen) == 1


def test_a_granted_offer_has_its_own_end_on_each_card(town: Town) -> None:
    found = offer(town, audience="targeted")
    town.deliver()
    assert town.phone.shows(town.serial, "offer") is None
    with town.world.database.unit_of_work() as session:
        now = town.clock()
        kept = session.get_one(Offer, found.id)
        ends = now + timedelta(hours=5)
        grants.give(session, kept, [town.card.id], starts_at=now, ends_at=ends, run_id=None, now=now)
    touch(town)
    town.deliver()
    assert town.shows("offer", "Two for one")
    assert town.phone.lock_screen == []  # whoever grants it tells of it

    town.clock.advance(hours=5)
    grants.close_due(town.world)
    town.clock.advance(minutes=2)
    town.deliver()
    assert town.shows("offer", None)


def test_a_message_sounds_once_keeps_its_words_and_leaves_in_silence(town: Town, sandbox: Sandbox) -> None:
    say(town, lasts=timedelta(hours=6))
    town.deliver()
    assert town.phone.wait_until(lambda phone: len(phone.lock_screen) == 1)
    assert town.phone.lock_screen[0].startswith("Ayşe, 120 points wait · ")
    assert town.shows("message", "Ayşe, 120 points wait\nOnly 30 to a coffee.")
    assert complaints(town, sandbox) == set()

    town.earn(10_00)
    town.deliver()
    assert town.shows("balance", 1)
    assert town.phone.lock_screen[1:] == ["New balance: 1"]

    town.clock.advance(hours=6)
    end_messages(town)
    assert town.shows("latest", "No news at the moment")
    assert town.shows("message", None)
    assert len(town.phone.lock_screen) == 2


def test_an_offer_announced_before_the_message_comes_back_without_a_sound(town: Town) -> None:
    offer(town)
    town.deliver()
    town.clock.advance(minutes=5)
    say(town, lasts=timedelta(hours=6))
    town.deliver()
    assert town.phone.wait_until(lambda phone: len(phone.lock_screen) == 2)
    town.clock.advance(hours=6)
    end_messages(town)

    assert town.phone.wait_until(lambda phone: str(phone.shows(town.serial, "latest")).startswith("Two for one"))
    assert len(town.phone.lock_screen) == 2


def test_a_silent_message_only_stands_there(town: Town) -> None:
    say(town, alert=False)
    town.deliver()
    assert town.phone.wait_until(lambda phone: phone.shows(town.serial, "message") is not None)
    assert town.phone.lock_screen == []


def test_the_same_test_twice_sounds_twice(town: Town) -> None:
    for number in (1, 2):
        say(town, is_test=True)
        town.deliver()
        assert town.phone.wait_until(lambda phone, number=number: len(phone.lock_screen) == number)  # type: ignore[misc]
