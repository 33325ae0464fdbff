"""What time does to units, as jobs: any number of times, late, and from two processes at once."""

import multiprocessing
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, text

from app.cards.models import Card
from app.counter import timekeeping
from app.db import Database
from app.ledger import expiry, verify
from app.ledger.models import Entry, Hold, Lot, Seal
from app.settings import Settings
from app.staff.models import AuditEvent
from app.vault import Vault
from app.world import World
from tests import factories
from tests.app.ledger.shelf import Shelf, a_second_card
from tests.conftest import SECRET, MovableClock, open_test_world, settings_for

JAN_31 = datetime(2027, 1, 31, 21, tzinfo=UTC)  # the first instant of 1 February in Istanbul
DAY = timedelta(days=1)


@pytest.fixture
def shelf(any_world: World) -> Shelf:
    return Shelf(any_world)


def at(shelf: Shelf, clock: MovableClock, moment: datetime) -> None:
    shelf.now = clock.at = moment


def version(shelf: Shelf) -> int:
    with shelf.world.database.reading() as session:
        return session.get_one(Card, shelf.card.id).version


def kinds(shelf: Shelf) -> list[str]:
    with shelf.world.database.reading() as session:
        query = select(Entry.kind).where(Entry.card_id == shelf.card.id).order_by(Entry.seq)
        return list(session.scalars(query))


def test_lots_expire_at_the_end_of_their_day_once_however_often_the_job_runs(shelf: Shelf, clock: MovableClock) -> None:
    shelf.earn(100, expires_at=JAN_31)
    shelf.earn(50, expires_at=JAN_31)
    shelf.earn(80)
    at(shelf, clock, JAN_31 - timedelta(milliseconds=1))
    assert timekeeping.expire_lots(shelf.world) == 0
    before = version(shelf)
    at(shelf, clock, JAN_31)

    ran = [timekeeping.expire_lots(shelf.world) for _ in range(3)]

    assert ran == [1, 0, 0]
    assert shelf.on("avail") == 80
    assert kinds(shelf)[3:] == ["expire", "expire"]
    assert version(shelf) == before + 1  # both in one version: phones are told once


def test_ten_days_late_comes_to_the_same(shelf: Shelf, clock: MovableClock) -> None:
    shelf.earn(100, expires_at=JAN_31)
    shelf.earn(40, pending_until=JAN_31 - 9 * DAY, expires_at=JAN_31 + 5 * DAY)
    shelf.hold(60)
    at(shelf, clock, JAN_31 + 10 * DAY)

    for _ in range(2):
        timekeeping.end_holds(shelf.world)
        timekeeping.activate_pending(shelf.world)
        timekeeping.expire_lots(shelf.world)

    assert (shelf.on("avail"), shelf.on("hold"), shelf.on("pend")) == (0, 0, 0)
    assert sorted(kinds(shelf)) == ["activate", "earn", "earn", "expire", "expire", "hold", "release"]


def test_an_entry_of_expiry_names_its_lot(shelf: Shelf, clock: MovableClock) -> None:
    shelf.earn(100, expires_at=JAN_31)
    at(shelf, clock, JAN_31)

    timekeeping.expire_lots(shelf.world)

    with shelf.world.database.reading() as session:
        lot = session.scalars(select(Lot.id)).one()
        assert session.scalars(select(Entry.note).where(Entry.kind == "expire")).all() == [f"expire:{lot}"]


def test_w11_a_hold_over_midnight(shelf: Shelf, clock: MovableClock) -> None:
    shelf.earn(60, expires_at=JAN_31)
    shelf.earn(40)
    at(shelf, clock, JAN_31 - timedelta(minutes=2))
    hold = shelf.hold(80)
    at(shelf, clock, JAN_31)

    assert timekeeping.expire_lots(shelf.world) == 0
    at(shelf, clock, JAN_31 + timedelta(minutes=1))
    shelf.capture(hold, 50)
    assert timekeeping.expire_lots(shelf.world) == 1

    assert (shelf.on("avail"), shelf.lots()) == (40, [(40, None)])


def test_a_hold_that_is_never_captured_is_given_back(shelf: Shelf, clock: MovableClock) -> None:
    shelf.earn(100)
    shelf.hold(80)
    at(shelf, clock, shelf.now + timedelta(seconds=299))
    assert timekeeping.end_holds(shelf.world) == 0
    at(shelf, clock, shelf.now + timedelta(seconds=1))

    assert [timekeeping.end_holds(shelf.world) for _ in range(2)] == [1, 0]

    assert (shelf.on("avail"), shelf.on("hold")) == (100, 0)
    with shelf.world.database.reading() as session:
        assert session.scalars(select(Hold.state)).all() == ["expired"]


def test_points_that_waited_can_be_spent_from_their_day_on(shelf: Shelf, clock: MovableClock) -> None:
    day = shelf.now + 14 * DAY
    for _ in range(2):
        shelf.earn(30, pending_until=day)
    assert timekeeping.activate_pending(shelf.world) == 0
    at(shelf, clock, day)
    before = version(shelf)

    assert [timekeeping.activate_pending(shelf.world) for _ in range(2)] == [1, 0]

    assert (shelf.on("avail"), shelf.on("pend"), version(shelf)) == (60, 0, before + 1)


def test_waiting_points_of_a_closed_account_stay_where_they_are(shelf: Shelf, clock: MovableClock) -> None:
    day = shelf.now + 14 * DAY
    shelf.earn(30, pending_until=day)
    with shelf.world.database.unit_of_work() as session:
        session.execute(text("UPDATE account SET closed = true WHERE member_id IS NOT NULL"))
    at(shelf, clock, day)

    assert timekeeping.activate_pending(shelf.world) == 0
    assert shelf.on("pend") == 30


def test_a_debt_is_written_off_a_year_after_its_last_part_with_a_report(shelf: Shelf, clock: MovableClock) -> None:
    sale = shelf.earn(100)
    shelf.spend(70)
    at(shelf, clock, shelf.now + 30 * DAY)
    shelf.reverse(sale)
    at(shelf, clock, shelf.now + 365 * DAY - timedelta(milliseconds=1))
    assert timekeeping.write_off_debts(shelf.world) == 0
    assert shelf.on("debt") == -70
    at(shelf, clock, shelf.now + timedelta(milliseconds=1))

    assert [timekeeping.write_off_debts(shelf.world) for _ in range(2)] == [1, 0]

    assert shelf.on("debt") == 0
    with shelf.world.database.reading() as session:
        reported = session.scalars(select(AuditEvent).where(AuditEvent.action == "debt_written_off")).all()
    assert [one.after for one in reported] == [{"unit": "points", "units": 70}]


def test_a_young_debt_in_one_unit_is_kept_beside_an_old_one_in_another(shelf: Shelf, clock: MovableClock) -> None:
    old = shelf.credit(10, unit="stamp:a")
    shelf.spend(10, unit="stamp:a")
    shelf.reverse(old)
    at(shelf, clock, shelf.now + 300 * DAY)
    young = shelf.earn(10)
    shelf.spend(10)
    shelf.reverse(young)
    at(shelf, clock, shelf.now + 65 * DAY)

    timekeeping.write_off_debts(shelf.world)

    assert (shelf.on("debt", "stamp:a"), shelf.on("debt")) == (0, -10)


def test_one_broken_card_does_not_keep_the_others(
    shelf: Shelf, clock: MovableClock, caplog: pytest.LogCaptureFixture
) -> None:
    shelf.earn(100, expires_at=JAN_31)
    first, shelf.card = shelf.card, a_second_card(shelf)
    shelf.earn(50, expires_at=JAN_31)
    with shelf.world.database.unit_of_work() as session:
        # a lot that says more than the account has: the entry is refused
        session.execute(
            text("UPDATE account SET balance = 1 WHERE member_id = :m AND role = 'avail'"), {"m": first.member_id}
        )
    at(shelf, clock, JAN_31)

    assert timekeeping.expire_lots(shelf.world) == 1

    assert "could not be moved" in caplog.text
    with shelf.world.database.reading() as session:
        assert session.scalars(select(Entry.card_id).where(Entry.kind == "expire")).all() == [shelf.card.id]


def test_a_card_that_is_in_use_is_passed_over_and_comes_up_again(
    postgres_url: str, tmp_path: Path, clock: MovableClock
) -> None:
    shelf = Shelf(open_test_world(settings_for(postgres_url, tmp_path), clock))
    shelf.earn(100, expires_at=JAN_31)
    busy, shelf.card = shelf.card, a_second_card(shelf)
    shelf.earn(50, expires_at=JAN_31)
    at(shelf, clock, JAN_31)

    with shelf.world.database.unit_of_work() as session:
        session.execute(text("SELECT 1 FROM card WHERE id = :id FOR UPDATE"), {"id": busy.id})
        while_busy = timekeeping.expire_lots(shelf.world)
    after = timekeeping.expire_lots(shelf.world)

    assert (while_busy, after) == (1, 1)
    assert shelf.on("avail") == 0
    shelf.world.database.close()


def _expire(url: str, moment: datetime, begin: Any) -> None:
    settings = Settings(database_url=url, secret_key=SECRET)
    vault = Vault(SECRET)
    database = Database(url, info={"vault": vault})
    begin.wait()
    timekeeping.expire_lots(World(settings=settings, database=database, clock=lambda: moment, vault=vault))
    database.close()


def test_two_processes_at_once_expire_each_lot_once(any_world: World) -> None:
    shelf = Shelf(any_world)
    for _ in range(8):
        shelf.earn(10, expires_at=JAN_31)
        shelf.card = a_second_card(shelf)
        shelf.earn(10, expires_at=JAN_31)
    spawn = multiprocessing.get_context("spawn")
    begin = spawn.Barrier(2)
    processes = [spawn.Process(target=_expire, args=(any_world.database.url, JAN_31, begin)) for _ in range(2)]

    for one in processes:
        one.start()
    for one in processes:
        one.join(60)

    assert [one.exitcode for one in processes] == [0, 0]
    with any_world.database.reading() as session:
        assert verify.differences(session) == []
        assert len(session.scalars(select(Entry.id).where(Entry.kind == "expire")).all()) == 16
        assert expiry.cards_with_expired(session, now=JAN_31, after=-1, limit=9) == []


def test_entries_are_sealed_when_nothing_can_come_before_them_any_more(shelf: Shelf, clock: MovableClock) -> None:
    shelf.earn(10)
    at(shelf, clock, shelf.now + timedelta(minutes=5))
    shelf.earn(10)
    assert timekeeping.seal_entries(shelf.world) == 0
    at(shelf, clock, shelf.now + timedelta(minutes=5))

    assert [timekeeping.seal_entries(shelf.world) for _ in range(2)] == [1, 0]

    with shelf.world.database.reading() as session:
        assert session.scalars(select(Seal.entries)).all() == [1]
        assert verify.differences(session) == []


@pytest.mark.parametrize("job", [timekeeping.expire_lots, timekeeping.end_holds], ids=["expiry", "holds"])
def test_a_job_with_nothing_to_do_changes_nothing(shelf: Shelf, job: Callable[[World], int]) -> None:
    shelf.earn(10)
    before = version(shelf)

    assert job(shelf.world) == 0
    assert version(shelf) == before


def test_entries_of_time_name_no_person(shelf: Shelf, clock: MovableClock) -> None:
    shelf.earn(10, expires_at=JAN_31)
    at(shelf, clock, JAN_31)
    timekeeping.expire_lots(shelf.world)

    with shelf.world.database.reading() as session:
        entry = session.scalars(select(Entry).where(Entry.kind == "expire")).one()
    assert (entry.actor, entry.channel, entry.points) == ("system:time", "job", -10)
    assert entry.recorded_at > factories.NOW
