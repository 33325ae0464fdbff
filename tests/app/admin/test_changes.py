"""Changes for many cards: seen, followed and stopped by operators."""

from flask import Flask

from app.cards import expansion
from app.cards.models import Expansion
from app.delivery import steps
from app.world import World
from tests import factories
from tests.app.admin.conftest import Browser, Office
from tests.bench import seed


def begin(office: Office, reason: str = "design") -> int:
    with office.world.database.unit_of_work() as session:
        change = expansion.start(session, programme_id=office.programme.id, reason=reason, now=office.world.clock())
        return change.id


def status(office: Office, change: int) -> str:
    with office.world.database.reading() as session:
        return session.get_one(Expansion, change).status


def test_without_any_change_the_page_says_so(operator: Browser) -> None:
    page = operator.get("/admin/changes")

    assert "Nothing is on its way" in page.text
    assert "Refresh" not in page.headers


def test_a_running_change_shows_its_bar_and_the_time_left_and_refreshes_itself(
    operator: Browser, office: Office
) -> None:
    crowd = seed.Crowd(programme_id=office.programme.id, cards=1_200)
    seed.seed(office.world.database, crowd, now=office.world.clock())
    change = begin(office)
    waiting = operator.get("/admin/changes").text
    steps.expand(office.world)

    page = operator.get("/admin/changes")

    assert "It has not begun yet." in waiting
    assert 'max="1201"' in page.text
    assert f'value="{expansion.CHUNK_SQLITE}"' in page.text
    assert "about 3 seconds left" in page.text, "1,200 phones, 200 of them waiting, at 500 pushes a second"
    assert page.headers["Refresh"] == "10"
    while steps.expand(office.world):
        pass
    assert "1,201 cards changed." in operator.get("/admin/changes").text
    assert status(office, change) == "done"


def test_an_operator_stops_a_change_and_the_audit_log_knows(operator: Browser, office: Office) -> None:
    change = begin(office)

    page = operator.follow(operator.send(f"/admin/changes/{change}/stop"))

    assert "No further card is changed." in page
    assert status(office, change) == "stopped"
    (event,) = office.events("bulk_change_stopped")
    assert event.subject == f"change:{change}"
    assert "ended already" in operator.follow(operator.send(f"/admin/changes/{change}/stop"))
    assert len(office.events("bulk_change_stopped")) == 1


def test_what_takes_an_ended_offer_off_the_cards_goes_on(operator: Browser, office: Office) -> None:
    change = begin(office, "offer_ended")

    assert "/stop" not in operator.get("/admin/changes").text
    page = operator.follow(operator.send(f"/admin/changes/{change}/stop"))

    assert "takes an ended offer off the cards" in page
    assert status(office, change) == "running"


def test_somebody_of_another_programme_neither_sees_nor_stops_it(app: Flask, world: World, office: Office) -> None:
    change = begin(office)
    with world.database.unit_of_work() as session:
        other = factories.programme(session, slug="other", name="Other", pass_type_identifier="pass.com.example.other")
        stranger = factories.staff(session, "operator", email="stranger@example.com", programme=other)
    browser = Browser(app, stranger)

    assert "Nothing is on its way" in browser.get("/admin/changes").text
    assert browser.send(f"/admin/changes/{change}/stop").status_code == 403
    assert browser.send("/admin/changes/999/stop").status_code == 404
    assert status(office, change) == "running"
