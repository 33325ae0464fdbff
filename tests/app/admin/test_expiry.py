"""The operator sees what expires when, and may let points live longer, never shorter."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from app.cards import codes
from app.counter import timekeeping
from app.ledger.models import Lot
from tests.app.admin.conftest import Browser, Office
from tests.app.ledger.shelf import Shelf

ADDRESS = "/admin/programmes/kahve/expiry"
JAN_31 = datetime(2027, 1, 31, 21, tzinfo=UTC)  # the first instant of 1 February in Istanbul
FEB_28 = JAN_31 + timedelta(days=28)


@pytest.fixture
def stocked(office: Office) -> Office:
    shelf = Shelf.__new__(Shelf)
    shelf.world, shelf.now, shelf.card = office.world, office.world.clock(), office.card
    shelf.earn(1_200, expires_at=JAN_31)
    shelf.earn(60, expires_at=FEB_28)
    return office


def ends(office: Office) -> list[datetime | None]:
    with office.world.database.reading() as session:
        return list(session.scalars(select(Lot.expires_at).order_by(Lot.id)))


def test_what_expires_is_listed_day_by_day(operator: Browser, stocked: Office) -> None:
    page = operator.get(ADDRESS).text

    assert page.index("31 Jan 2027") < page.index("1,200") < page.index("28 Feb 2027")


def test_debts_that_were_written_off_are_listed_with_their_sum(operator: Browser, office: Office) -> None:
    assert "written off" not in operator.get(ADDRESS).text
    shelf = Shelf.__new__(Shelf)
    shelf.world, shelf.now, shelf.card = office.world, office.world.clock(), office.card
    sale = shelf.earn(1_200)
    shelf.spend(1_130)
    shelf.reverse(sale)
    office.world.clock.advance(days=366)  # type: ignore[attr-defined]

    assert timekeeping.write_off_debts(office.world) == 1

    page = operator.get(ADDRESS).text
    assert "1,130 points in all." in page
    assert codes.grouped(office.card.number) in page


def test_points_live_longer_by_the_owners_word_and_the_log_says_why(operator: Browser, stocked: Office) -> None:
    page = operator.follow(operator.send(ADDRESS, until="2027-02-15", reason="Snow"))

    assert "1 lot lives longer." in page
    assert ends(stocked) == [JAN_31 + timedelta(days=15), FEB_28]
    [event] = stocked.events("lots_lengthened")
    assert (event.reason, (event.after or {})["lots"]) == ("Snow", 1)


@pytest.mark.parametrize(
    ("form", "sentence"),
    [
        ({"until": "2027-01-01", "ending_by": "2027-02-28", "reason": "x"}, "would be shortened"),
        ({"until": "2026-11-01", "reason": "x"}, "This day is over"),
        ({"until": "", "reason": "x"}, "Choose a day"),
        ({"until": "0001-01-01", "reason": "x"}, "Write the day as"),
        ({"until": "soon", "reason": "x"}, "Write the day as"),
        ({"until": "2027-03-01", "reason": " "}, "Say why"),
        ({"until": "2027-03-01", "reason": "x" * 201}, "Say why"),
        ({"until": "2027-03-01", "reason": "bell\x07"}, "cannot be shown"),
    ],
)
def test_what_is_refused_changes_nothing(
    operator: Browser, stocked: Office, form: dict[str, str], sentence: str
) -> None:
    answer = operator.send(ADDRESS, **form)

    assert answer.status_code == 422
    assert sentence in answer.text
    assert ends(stocked) == [JAN_31, FEB_28]
