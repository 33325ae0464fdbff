"""Stamp cards, clubs and gated links on the customer's page."""

from datetime import timedelta

import pytest
from flask.testing import FlaskClient

from app.cards.models import Card
from app.clubs import gates
from app.clubs import service as clubs
from app.clubs.gates import GatedLinkDraft
from app.clubs.service import ClubDraft, Term
from app.world import World
from tests.app.stamps.bench import Bench
from tests.conftest import MovableClock


@pytest.fixture
def bench(world: World) -> Bench:
    return Bench(world, texts={"tr": {"name": "Kahve kartı", "reward": "Bir kahve bizden"}})


def in_club(bench: Bench) -> None:
    with bench.world.database.unit_of_work() as session:
        programme = session.merge(bench.programme)
        draft = ClubDraft(programme=programme, slug="wine", name="Wine club", benefits="First pick of every harvest")
        club = clubs.create(session, draft, by="test", now=bench.now)
        clubs.join(session, club, session.get_one(Card, bench.card.id), Term(), by="test", now=bench.now)
        link = GatedLinkDraft(
            programme=programme, slug="cellar", title="The cellar", target_url="https://shop.example/cellar", club=club
        )
        gates.create(session, link, now=bench.now)


def test_progress_stands_on_the_page_in_the_holders_language(bench: Bench, client: FlaskClient) -> None:
    bench.stamp(7)

    english = client.get(f"/c/{bench.card.link}").text
    turkish = client.get(f"/c/{bench.card.link}?lang=tr").text

    assert "●●●●●●●○○○" in english
    assert "7 of 10" in english
    assert "One free coffee" in english
    assert "Kahve kartı" in turkish
    assert "Bir kahve bizden" in turkish


def test_the_last_missing_stamp_and_a_usable_reward_are_said(bench: Bench, client: FlaskClient) -> None:
    bench.stamp(9)
    near = client.get(f"/c/{bench.card.link}").text
    bench.stamp(11)
    reached = client.get(f"/c/{bench.card.link}").text

    assert "One more stamp!" in near
    assert "2 yours: ask at the till" in reached
    assert "One more stamp!" not in reached


def test_a_programme_without_stamp_cards_says_nothing_of_them(bench: Bench, client: FlaskClient) -> None:
    with bench.world.database.unit_of_work() as session:
        session.delete(session.merge(bench.stamp_card))

    assert "Stamp cards" not in client.get(f"/c/{bench.card.link}").text


def test_a_members_club_stands_on_the_page_until_it_is_over(
    bench: Bench, client: FlaskClient, clock: MovableClock
) -> None:
    in_club(bench)

    page = client.get(f"/c/{bench.card.link}").text
    clock.advance(days=366)
    later = client.get(f"/c/{bench.card.link}").text

    assert "Wine club" in page
    assert "Until 20 Nov 2027" in page
    assert f"/c/{bench.card.link}/club/cellar" in page
    assert "Wine club" not in later


def test_a_gated_link_leads_on_for_a_quarter_of_an_hour(bench: Bench, client: FlaskClient, clock: MovableClock) -> None:
    in_club(bench)

    asked = client.get(f"/c/{bench.card.link}/club/cellar")
    opened = client.get(asked.location)
    clock.advance(minutes=15)
    too_late = client.get(asked.location)

    assert (asked.status_code, opened.status_code, too_late.status_code) == (302, 302, 403)
    assert opened.location == "https://shop.example/cellar"
    assert bench.card.link not in asked.location
    assert {asked.headers["Cache-Control"], opened.headers["Cache-Control"]} == {"no-store"}
    assert opened.headers["Referrer-Policy"] == "no-referrer"
    assert "open it from your card again" in too_late.text


def test_who_may_not_open_it_is_told_so(bench: Bench, client: FlaskClient, clock: MovableClock) -> None:
    in_club(bench)
    token = client.get(f"/c/{bench.card.link}/club/cellar").location
    with bench.world.database.unit_of_work() as session:
        club = clubs.of_programme(session, bench.programme.id)[0]
        card = session.get_one(Card, bench.card.id)
        clubs.leave(session, club, card, reason="", by="test", now=clock() + timedelta(seconds=1))
    clock.advance(seconds=2)

    statuses = [
        client.get(path).status_code
        for path in (token, f"{token}x", "/gate/%C4%B1", f"/c/{bench.card.link}/club/cellar")
    ]

    assert statuses == [403, 403, 403, 403]
    assert client.get(f"/c/{bench.card.link}/club/nothing").status_code == 404
    assert client.get(f"/c/{'x' * 32}/club/cellar").status_code == 404
