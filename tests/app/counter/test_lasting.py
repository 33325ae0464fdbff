"""Until when units live: by purchases, by the owner's word, never shorter than promised; and how it is shown."""

from datetime import UTC, date, datetime, timedelta

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError

from app.cards.models import Card
from app.counter import lasting
from app.earning.rules import Expiry, Policy
from app.errors import Unprocessable
from app.ledger import held
from app.staff.models import AuditEvent
from app.world import World
from tests import factories
from tests.app.api.conftest import make_key
from tests.app.ledger.shelf import Shelf
from tests.conftest import MovableClock

JAN_31 = datetime(2027, 1, 31, 21, tzinfo=UTC)  # the first instant of 1 February in Istanbul
DAY = timedelta(days=1)
BY_INACTIVITY = Expiry(policy=Policy.INACTIVITY, days=90)


@pytest.fixture
def shelf(any_world: World) -> Shelf:
    return Shelf(any_world)


def keep_alive(shelf: Shelf, expiry: Expiry, at: datetime) -> int:
    with shelf.world.database.unit_of_work() as session:
        return lasting.keep_alive(session, held.by_id(session, shelf.card.id), expiry, at, "Europe/Istanbul")


def lengthen(shelf: Shelf, until: date, **over: object) -> lasting.Lengthened:
    values = {"unit": "points", "until": until, "ending_by": None, "reason": "Winter", **over}
    wanted = lasting.Lengthening(**values)  # type: ignore[arg-type]
    with shelf.world.database.unit_of_work() as session:
        programme = session.get_one(Card, shelf.card.id).programme
        return lasting.lengthen(session, programme, wanted, actor="key:x", now=shelf.now)


def test_a_purchase_lets_all_points_live_for_another_period(shelf: Shelf) -> None:
    shelf.earn(50, expires_at=JAN_31)
    shelf.earn(60, expires_at=JAN_31 + 300 * DAY)
    shelf.earn(70)

    changed = keep_alive(shelf, BY_INACTIVITY, JAN_31 - DAY)

    assert changed == 1
    assert shelf.lots() == [(50, JAN_31 + 90 * DAY), (60, JAN_31 + 300 * DAY), (70, None)]


def test_a_purchase_wakes_nothing_that_has_expired_and_lengthens_what_is_reserved(shelf: Shelf) -> None:
    shelf.earn(50, expires_at=shelf.now + DAY)
    shelf.earn(60, expires_at=JAN_31)
    shelf.now = shelf.now + DAY
    late = shelf.now
    shelf.expire()
    hold = shelf.hold(60)

    assert keep_alive(shelf, BY_INACTIVITY, late) == 1
    shelf.void(hold)
    assert [units for units, _at in shelf.lots()] == [60]
    assert (shelf.lots()[0][1] or JAN_31) > JAN_31


@pytest.mark.parametrize("policy", [Policy.ROLLING, Policy.NEVER])
def test_other_policies_lengthen_nothing(shelf: Shelf, policy: Policy) -> None:
    shelf.earn(50, expires_at=JAN_31)

    assert keep_alive(shelf, Expiry(policy=policy, days=900), JAN_31 - DAY) == 0


def test_an_owner_may_let_points_live_longer_and_every_step_is_written_down(shelf: Shelf) -> None:
    shelf.earn(50, expires_at=JAN_31)
    shelf.earn(60, expires_at=JAN_31 + 28 * DAY)

    done = [lengthen(shelf, date(2027, 3, 31), ending_by=date(2027, 1, 31)) for _ in range(2)]

    assert [one.lots for one in done] == [1, 0]
    assert [units for units, _at in shelf.lots()] == [60, 50]
    with shelf.world.database.reading() as session:
        events = session.scalars(select(AuditEvent).where(AuditEvent.action == "lots_lengthened")).all()
    assert [event.reason for event in events] == ["Winter", "Winter"]
    assert (events[0].after or {})["lots"] == 1


@pytest.mark.parametrize(
    ("over", "code"),
    [
        ({"until": date(2026, 11, 19)}, "expiry_before_earning"),
        ({"until": date(2027, 1, 31), "ending_by": date(2027, 2, 1)}, "shortens_lots"),
        ({"until": date(2027, 3, 31), "unit": "TRY"}, "expiry_on_stored_value"),
    ],
    ids=["past", "shorter", "money"],
)
def test_what_an_owner_may_not_do(shelf: Shelf, over: dict[str, object], code: str) -> None:
    shelf.earn(50, expires_at=JAN_31 + 300 * DAY)

    with pytest.raises(Unprocessable, match=code):
        lengthen(shelf, **over)  # type: ignore[arg-type]

    assert shelf.lots() == [(50, JAN_31 + 300 * DAY)]


@pytest.mark.parametrize(
    "statement", [f"UPDATE lot SET expires_at = {int(JAN_31.timestamp() * 1000) - 1}", "UPDATE lot SET earned_at = 0"]
)
def test_the_database_shortens_nothing(shelf: Shelf, statement: str) -> None:
    shelf.earn(50, expires_at=JAN_31)

    with pytest.raises(DBAPIError, match="never expires sooner"), shelf.world.database.unit_of_work() as session:
        session.execute(text(statement))


@pytest.mark.parametrize(
    ("unit", "expires_at", "code"),
    [("points", factories.NOW, "expiry_before_earning"), ("TRY", JAN_31, "expiry_on_stored_value")],
)
def test_a_day_that_no_lot_may_have_is_refused(shelf: Shelf, unit: str, expires_at: datetime, code: str) -> None:
    with pytest.raises(Unprocessable, match=code):
        shelf.credit(10, unit=unit, expires_at=expires_at)


@pytest.fixture
def shop(world: World) -> Shelf:
    shelf = Shelf(world)
    shelf.earn(100, expires_at=JAN_31)
    shelf.earn(20, expires_at=JAN_31)
    shelf.earn(1_500, expires_at=JAN_31 + 28 * DAY)
    shelf.earn(80)
    return shelf


def test_the_api_tells_the_whole_ladder(shop: Shelf, client: FlaskClient) -> None:
    headers = {"Authorization": f"Bearer {make_key(shop.world, 'read')}"}

    points = client.get(f"/api/v1/cards/{shop.card.number}/ladder", headers=headers)
    stamps = client.get(f"/api/v1/cards/{shop.card.number}/ladder?unit=stamp:x", headers=headers)
    unknown = client.get("/api/v1/cards/0000/ladder", headers=headers)

    assert points.json == {
        "unit": "points",
        "steps": [
            {"units": 120, "last_on": "2027-01-31", "expires_at": "2027-01-31T21:00:00.000+00:00"},
            {"units": 1500, "last_on": "2027-02-28", "expires_at": "2027-02-28T21:00:00.000+00:00"},
        ],
        "never": 80,
    }
    assert stamps.json == {"unit": "stamp:x", "steps": [], "never": 0}
    assert unknown.status_code == 404


def test_the_api_lengthens_and_refuses_to_shorten(shop: Shelf, client: FlaskClient) -> None:
    headers = {"Authorization": f"Bearer {make_key(shop.world, 'admin')}"}
    address = "/api/v1/programmes/kahve/lengthen"

    done = client.post(address, json={"until": "2027-02-28", "reason": "Winter"}, headers=headers)
    refused = client.post(
        address, json={"until": "2027-01-01", "ending_by": "2027-02-28", "reason": "x"}, headers=headers
    )
    odd = client.post(address, json={"until": "9999-12-31", "reason": "x"}, headers=headers)

    assert (done.status_code, done.json) == (200, {"lots": 2, "complete": True})
    assert (refused.status_code, refused.json and refused.json["code"]) == (422, "shortens_lots")
    assert odd.status_code == 422


def test_the_customers_page_shows_the_whole_ladder_and_what_is_owed(
    shop: Shelf, client: FlaskClient, clock: MovableClock
) -> None:
    clock.at = JAN_31 - 60 * DAY
    page = client.get(f"/c/{shop.card.link}?lang=en").text

    assert page.index("31 Jan 2027") < page.index("28 Feb 2027") < page.index("Without an end")
    assert "1,500" in page
    sale = shop.earn(10)
    shop.spend(1_710)
    shop.reverse(sale)
    assert "10 points will be recovered" in client.get(f"/c/{shop.card.link}?lang=en").text
