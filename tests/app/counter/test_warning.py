"""Cards say what expires, 30 days and 7 days before, in the member's language; phones are told by day, once each."""

from datetime import UTC, datetime, timedelta

import pytest

from app.cards.models import Card
from app.counter import timekeeping, warning
from app.settings import Settings
from app.vault import Vault
from app.wallets.apple import face
from app.wallets.google import face as google
from app.wallets.view import CardView, card_view
from app.world import World
from tests import factories
from tests.app.ledger.shelf import Shelf
from tests.conftest import SECRET, MovableClock

JAN_31 = datetime(2027, 1, 31, 21, tzinfo=UTC)  # the first instant of 1 February in Istanbul
DAY = timedelta(days=1)
MORNING = timedelta(hours=10)


@pytest.fixture
def shelf(any_world: World) -> Shelf:
    return Shelf(any_world)


def seen(shelf: Shelf) -> CardView:
    with shelf.world.database.reading() as session:
        return card_view(session, session.get_one(Card, shelf.card.id), now=shelf.world.clock())


def note(shelf: Shelf) -> str:
    return "".join(one.text for one in seen(shelf).notes if one.key == "expiry")


def at(shelf: Shelf, clock: MovableClock, moment: datetime) -> None:
    shelf.now = clock.at = moment


def test_the_card_says_what_is_lost_within_thirty_days_and_speaks_up_in_the_last_week(
    shelf: Shelf, clock: MovableClock
) -> None:
    shelf.earn(100, expires_at=JAN_31)
    shelf.earn(20, expires_at=JAN_31)
    shelf.earn(50, expires_at=JAN_31 + 3 * DAY)
    shelf.earn(80)

    said = []
    for days in (30 * DAY + timedelta(milliseconds=1), 30 * DAY, 7 * DAY, timedelta(milliseconds=1)):
        at(shelf, clock, JAN_31 - days)
        said.append(note(shelf))

    assert said[0] == ""
    assert "120 points expire after 31 Jan" in said[1]
    assert said[2] == said[3] == "Last days: 120 points expire after 31 Jan"


def test_the_line_goes_when_the_points_are_spent_or_have_expired(shelf: Shelf, clock: MovableClock) -> None:
    shelf.earn(120, expires_at=JAN_31)
    shelf.earn(30, expires_at=JAN_31 + 60 * DAY)
    at(shelf, clock, JAN_31 - DAY)
    shelf.spend(120)
    spent = note(shelf)
    shelf.earn(10, expires_at=JAN_31)
    at(shelf, clock, JAN_31)
    over = note(shelf)
    timekeeping.expire_lots(shelf.world)

    assert (spent, over, note(shelf)) == ("", "", "")


def test_phones_are_told_once_for_each_warning_by_day_however_often_the_job_runs(
    shelf: Shelf, clock: MovableClock
) -> None:
    shelf.earn(120, expires_at=JAN_31)
    told = []
    for moment in (
        JAN_31 - 31 * DAY + MORNING,  # too early
        JAN_31 - 30 * DAY,  # midnight in Istanbul
        JAN_31 - 30 * DAY + MORNING,
        JAN_31 - 29 * DAY + MORNING,
        JAN_31 - 7 * DAY + MORNING,
        JAN_31 - DAY + MORNING,
        JAN_31 + MORNING,
    ):
        at(shelf, clock, moment)
        told.append([warning.warn(shelf.world) for _ in range(2)])

    assert told == [[0, 0], [0, 0], [1, 0], [0, 0], [1, 0], [0, 0], [0, 0]]


def test_a_job_that_was_off_for_ten_days_warns_all_the_same(shelf: Shelf, clock: MovableClock) -> None:
    shelf.earn(120, expires_at=JAN_31)
    at(shelf, clock, JAN_31 - 20 * DAY + MORNING)
    before = seen(shelf).version

    assert warning.warn(shelf.world) == 1
    assert seen(shelf).version == before + 1


def test_a_card_that_changed_meanwhile_has_been_told_already(shelf: Shelf, clock: MovableClock) -> None:
    shelf.earn(120, expires_at=JAN_31)
    at(shelf, clock, JAN_31 - 29 * DAY + MORNING)
    shelf.earn(1)

    assert warning.warn(shelf.world) == 0


def test_what_never_expires_warns_nobody(shelf: Shelf, clock: MovableClock) -> None:
    shelf.earn(120)
    shelf.credit(5, unit="voucher:a", expires_at=JAN_31)
    at(shelf, clock, JAN_31 - DAY + MORNING)

    assert warning.warn(shelf.world) == 0
    assert seen(shelf).expiring is None


@pytest.mark.parametrize(("language", "words"), [("tr", "31 Oca"), ("id", "31 Jan"), ("en", "31 Jan")])
def test_both_wallets_say_it_in_the_members_language(
    world: World, clock: MovableClock, language: str, words: str
) -> None:
    shelf = Shelf(world)
    with world.database.unit_of_work() as session:
        programme = session.get_one(Card, shelf.card.id).programme
        shelf.card = factories.card(session, programme, name="Budi", language=language)
    shelf.earn(120, expires_at=JAN_31)
    at(shelf, clock, JAN_31 - DAY)
    view = seen(shelf)

    apple = face.store_card(view, base_url="https://cards.example", token=None)
    object_id = google.object_id("3388000000000000000", Vault(SECRET), view.serial)
    android = google.loyalty_object(
        view, id=object_id, at=google.place(Settings(google_issuer_id="3388000000000000000"))
    )

    (behind,) = [field for field in apple.back if field.key == "expiry"]
    (module,) = [one for one in android.text_modules if one.id == "expiry"]
    assert "120" in str(behind.value)
    assert words in str(behind.value)
    assert module.body.value == behind.value
    assert [(field.key, field.value) for field in apple.auxiliary] == [("expiring", f"120 · {words}")]
