"""Members and cards on both databases: enrolled once, changed visibly, erased for good."""

import threading
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import delete, func, select, update
from sqlalchemy.exc import DBAPIError

from app.cards import codes, people, programmes
from app.cards import service as cards
from app.cards.models import Card, Consent, Member, Programme, Suppression
from app.errors import Conflict, NotFound
from app.outbox import service as outbox
from app.outbox.models import Target
from app.outbox.service import Lane
from app.world import World
from tests import factories
from tests.conftest import MovableClock
from tests.passes.apple.samples import png


def a_card(world: World, **over: object) -> Card:
    with world.database.unit_of_work() as session:
        return factories.card(session, factories.programme(session), now=world.clock(), **over)


def test_enrolling_makes_a_member_and_a_card_that_can_be_found(any_world: World) -> None:
    card = a_card(any_world, email="ayse@example.com", phone="+905321234567", language="tr", consent=True)

    with any_world.database.reading() as session:
        by_number = cards.by_number(session, codes.grouped(card.number).lower())
        by_link = cards.by_link(session, card.link)
        by_serial = cards.by_serial(session, "pass.com.example.kahve", card.serial)
        elsewhere = cards.by_serial(session, "pass.com.example.other", card.serial)
        stranger = cards.by_number(session, card.number, programme_id=card.programme_id + 1)
        assert by_number is not None
        assert by_link is not None
        assert by_serial is not None
        assert {by_number.id, by_link.id, by_serial.id} == {card.id}
        assert elsewhere is None
        assert stranger is None
        assert people.of(session, by_number.member).email == "ayse@example.com"
        assert (by_number.version, by_number.status, by_number.member.language) == (1, "active", "tr")
        assert by_number.member.marketing_consent
    assert card.modified_at.microsecond == 0
    assert len({card.number, card.serial, card.link}) == 3
    assert min(len(card.serial), len(card.link)) >= 32


@pytest.mark.parametrize("contact", [{"email": "AYSE@example.com"}, {"phone": "+905321234567"}])
def test_a_known_address_or_number_is_a_member_already(any_world: World, contact: dict[str, str]) -> None:
    card = a_card(any_world, email="ayse@example.com", phone="+905321234567")

    with any_world.database.unit_of_work() as session:
        programme = session.get(Programme, card.programme_id)
        assert programme is not None
        with pytest.raises(Conflict, match="already_member"):
            factories.card(session, programme, "Somebody Else", **contact)
        found = cards.by_contact(session, programme, people.checked("x", **contact))
        assert found is not None
        assert found.id == card.id

    with any_world.database.reading() as session:
        assert session.scalar(select(func.count()).select_from(Member)) == 1
        assert session.scalar(select(func.count()).select_from(Consent)) == 1


def test_the_same_person_may_be_in_two_programmes(any_world: World) -> None:
    with any_world.database.unit_of_work() as session:
        one = factories.programme(session)
        other = factories.programme(session, slug="other", pass_type_identifier="pass.com.example.other")
        assert factories.card(session, one, email="a@example.com").id != factories.card(
            session, other, email="a@example.com"
        ).id  # fmt: skip


def test_of_many_who_join_at_once_with_one_address_one_is_a_member(any_world: World) -> None:
    with any_world.database.unit_of_work() as session:
        programme_id = factories.programme(session).id
    gate = threading.Barrier(8)
    ends: list[str] = []

    def join() -> None:
        gate.wait()
        try:
            with any_world.database.unit_of_work() as session:
                programme = session.get(Programme, programme_id)
                assert programme is not None
                factories.card(session, programme, email="ayse@example.com")
            ends.append("joined")
        except Conflict as refusal:
            ends.append(refusal.code)

    threads = [threading.Thread(target=join) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(ends) == ["already_member"] * 7 + ["joined"]


@pytest.mark.parametrize("status", ["paused", "ended"])
def test_a_programme_that_is_closed_takes_nobody(any_world: World, status: str) -> None:
    with any_world.database.unit_of_work() as session:
        programme = factories.programme(session)
        programme.status = status
        with pytest.raises(Conflict, match="programme_closed"):
            factories.card(session, programme)


def test_two_changes_within_one_second_move_the_date_by_a_second_each(any_world: World, clock: MovableClock) -> None:
    """HTTP dates have whole seconds: with the same date the second change would stay behind a 304 for ever."""
    clock.at = datetime(2026, 11, 20, 10, 0, 0, 900_000, tzinfo=UTC)
    card = a_card(any_world)
    dates, versions = [card.modified_at], [card.version]

    for advance_ms in (0, 50, 50, 5000, 0):
        clock.advance(milliseconds=advance_ms)
        with any_world.database.unit_of_work() as session:
            locked = cards.lock(session, card.id)
            versions.append(cards.touch(session, locked, lane=Lane.NORMAL, now=clock()))
            dates.append(locked.modified_at)

    ten = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)
    assert versions == [1, 2, 3, 4, 5, 6]
    assert [(date - ten).total_seconds() for date in dates] == [0, 1, 2, 3, 6, 7]
    with any_world.database.reading() as session:
        kept = session.get(Card, card.id)
        assert kept is not None
        assert (kept.version, kept.modified_at) == (6, dates[-1])


def test_changes_at_once_all_count(any_world: World) -> None:
    card = a_card(any_world)
    gate = threading.Barrier(8)
    versions: list[int] = []

    def change() -> None:
        gate.wait()
        with any_world.database.unit_of_work() as session:
            versions.append(cards.touch(session, cards.lock(session, card.id), lane=Lane.URGENT, now=any_world.clock()))

    threads = [threading.Thread(target=change) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(versions) == list(range(2, 10))
    with any_world.database.reading() as session:
        kept = session.get(Card, card.id)
        assert kept is not None
        assert kept.modified_at - card.modified_at == timedelta(seconds=8)


def test_a_change_is_wanted_by_every_phone_of_the_card_and_no_other(any_world: World) -> None:
    card = a_card(any_world)
    with any_world.database.unit_of_work() as session:
        programme = session.get(Programme, card.programme_id)
        assert programme is not None
        other = factories.card(session, programme, "Budi")
        sender = outbox.sender_for(session, "apple", "pass.com.example.kahve")
        for one, address in ((card, 1), (card, 2), (other, 3)):
            outbox.ensure_target(
                session, channel="apple", sender_id=sender.id, card_id=one.id, address_id=address, want=1, done=1,
                now_ms=0,
            )  # fmt: skip

    with any_world.database.unit_of_work() as session:
        cards.touch(session, cards.lock(session, card.id), lane=Lane.URGENT, now=any_world.clock())

    with any_world.database.reading() as session:
        wants = dict(session.execute(select(Target.address_id, Target.want)).all())  # type: ignore[arg-type]
    assert wants == {1: 2, 2: 2, 3: 1}


def test_a_card_that_is_not_there_cannot_be_locked(any_world: World) -> None:
    with any_world.database.unit_of_work() as session, pytest.raises(NotFound, match="unknown_card"):
        cards.lock(session, 4711)


def test_answers_about_consent_are_added_and_never_changed(any_world: World, clock: MovableClock) -> None:
    card = a_card(any_world, consent=True)
    with any_world.database.unit_of_work() as session:
        member = session.get(Member, card.member_id)
        assert member is not None
        clock.advance(days=1)
        cards.set_consent(session, member, granted=False, source="page", now=clock())
        assert not member.marketing_consent
        cards.set_consent(session, member, granted=True, source="page", now=clock(), purpose="research")
        assert not member.marketing_consent

    with any_world.database.reading() as session:
        kept = session.execute(select(Consent.purpose, Consent.granted, Consent.source).order_by(Consent.id)).all()
    assert [tuple(row) for row in kept] == [
        ("marketing", True, "test"), ("marketing", False, "page"), ("research", True, "page"),
    ]  # fmt: skip
    for change in (update(Consent).values(granted=True), delete(Consent)):
        with pytest.raises(DBAPIError, match="never changed or deleted"), any_world.database.unit_of_work() as session:
            session.execute(change)


def test_an_erased_person_is_gone_and_kept_out_of_imports(any_world: World, clock: MovableClock) -> None:
    card = a_card(any_world, email="ayse@example.com", phone="+905321234567", attributes={"shoe": 38})
    with any_world.database.reading() as session:
        digests = {
            people.email_digest(session, card.programme_id, "ayse@example.com"),
            people.phone_digest(session, card.programme_id, "+905321234567"),
        }
    clock.advance(hours=1)

    with any_world.database.unit_of_work() as session:
        member = session.get(Member, card.member_id)
        assert member is not None
        first, second = (cards.erase(session, member, now=clock()) for _ in range(2))

    with any_world.database.reading() as session:
        gone = session.get(Member, card.member_id)
        kept = session.get(Card, card.id)
        assert gone is not None
        assert kept is not None
        assert (first, second) == (True, False)
        assert people.of(session, gone) == people.ERASED
        assert (gone.sealed, gone.email_index, gone.phone_index, gone.attributes) == (None, None, None, {})
        assert (gone.status, gone.erased_at, gone.marketing_consent) == ("erased", clock(), False)
        assert (kept.status, kept.version) == ("erased", 2)
        assert set(session.scalars(select(Suppression.digest))) == digests


def test_an_erased_person_may_join_again_as_somebody_new_and_be_erased_again(any_world: World) -> None:
    card = a_card(any_world, email="ayse@example.com")
    for _ in range(2):
        with any_world.database.unit_of_work() as session:
            member = session.scalars(select(Member).order_by(Member.id.desc()).limit(1)).one()
            assert cards.erase(session, member, now=any_world.clock())
            programme = session.get(Programme, card.programme_id)
            assert programme is not None
            factories.card(session, programme, email="ayse@example.com")

    with any_world.database.reading() as session:
        assert session.scalar(select(func.count()).select_from(Member)) == 3
        assert session.scalar(select(func.count()).select_from(Suppression)) == 1


def test_the_newest_picture_of_a_place_is_in_use(any_world: World) -> None:
    with any_world.database.unit_of_work() as session:
        programme = factories.programme(session)
        for size in (90, 120):
            programmes.put_picture(session, programme, "icon", png(size, size), now=any_world.clock())
        programmes.put_picture(session, programme, "hero", png(1032, 336), now=any_world.clock())

    with any_world.database.reading() as session:
        found = cards.assets(session, programme.id)
    assert {slot: asset.width for slot, asset in found.items()} == {"icon": 120, "hero": 1032}
    assert programme.design_version == 4
