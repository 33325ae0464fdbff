"""Notices, corrections with a second person, limits, joined cards, and cards of staff, as people use their pages."""

import re
from typing import Any

import pytest
from flask import Flask

from app.cards import codes
from app.cards.models import Card
from app.counter import adjusting, sales
from app.counter.adjusting import Person, Wish
from app.counter.moves import Actor
from app.counter.pricing import Sale
from app.ledger import service as ledger
from app.world import World
from tests import factories
from tests.app.admin.conftest import Browser, Office
from tests.conftest import MovableClock

BASE = "/admin/programmes/kahve"


@pytest.fixture
def support(app: Flask, office: Office) -> Browser:
    with office.world.database.unit_of_work() as session:
        person = factories.staff(session, "support")
    return Browser(app, person)


def earn(office: Office, card: Card, minor: int, *, actor: str = "staff:till", channel: str = "till") -> None:
    by = Actor(name=actor, channel=channel)
    sale = Sale(amount_minor=minor, currency="TRY")
    office.world.database.transact(
        lambda s: sales.earn(s, s.get_one(Card, card.id), sale, by=by, now=office.world.clock())
    )


def balance(world: World, card: Card) -> int:
    with world.database.reading() as session:
        return ledger.balance_of(session, card.member_id)


def correct(browser: Browser, office: Office, units: str, **over: Any) -> Any:
    fields = {"unit": "points", "direction": "more", "units": units, "reason": "Machine was broken", **over}
    return browser.send(f"/admin/cards/{office.card.number}/correct", **fields)


def test_support_corrects_a_balance_within_its_limit_from_the_card_s_page(support: Browser, office: Office) -> None:
    assert "/correct" in support.get(f"/admin/cards/{office.card.number}").text
    assert "Can be spent now: 0" in support.get(f"/admin/cards/{office.card.number}/correct").text

    page = support.follow(correct(support, office, "100"))

    assert "The balance is corrected." in page
    assert "Corrected +100" in page
    assert balance(office.world, office.card) == 100
    assert len(office.events("adjusted")) == 1


def test_above_it_somebody_else_approves_on_the_page_of_notices(
    support: Browser, operator: Browser, office: Office
) -> None:
    waiting = support.follow(correct(support, office, "400"))
    assert "The correction waits for a second person." in waiting
    assert "You have asked for this; somebody else decides." in waiting
    found = re.search(rf"{BASE}/corrections/(adj_\w+)/approve", operator.get(f"{BASE}/notices").text)
    assert found is not None
    path = f"{BASE}/corrections/{found[1]}"

    assert support.send(f"{path}/approve").status_code == 403
    assert "1 correction waits." in operator.get("/admin").text
    page = operator.follow(operator.send(f"{path}/approve"))

    assert "The correction is booked." in page
    assert "+400 Points" in page
    assert balance(office.world, office.card) == 400
    assert operator.send(f"{path}/refuse").status_code == 409


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"units": "1.5"}, "Write a whole number"),
        ({"units": ""}, "A correction is a whole number above or below zero."),
        ({"units": "5", "direction": "less"}, "At most 0."),
        ({"units": "5", "reason": "x"}, "Say why, in 3 to 200 characters."),
        ({"units": "5", "unit": "stars"}, "Corrections are in points, in TRY, or in stamps."),
        ({"units": "abc", "unit": "TRY"}, "Write the amount as a decimal string"),
    ],
)
def test_a_correction_that_cannot_be_meant_is_said_beside_its_field(
    support: Browser, office: Office, fields: dict[str, str], sentence: str
) -> None:
    values = {"units": "5", **fields}

    answer = correct(support, office, values.pop("units"), **values)

    assert answer.status_code == 422
    assert sentence in answer.text
    assert balance(office.world, office.card) == 0


def test_money_is_typed_as_people_write_it_and_waits(support: Browser, office: Office) -> None:
    page = support.follow(correct(support, office, "12,50", unit="TRY"))

    assert "12.50" in page


def test_a_notice_is_read_in_words_and_dismissed_with_a_reason(operator: Browser, office: Office) -> None:
    for _ in range(6):
        earn(office, office.card, 1_000)
    page = operator.get(f"{BASE}/notices").text
    assert "One card, many purchases" in page
    assert "6 purchases on this day." in page
    assert f"···· {office.card.number[-4:]}" in page
    found = re.search(rf"{BASE}/notices/(ntc_\w+)/dismiss", page)
    assert found is not None
    path = f"{BASE}/notices/{found[1]}/dismiss"

    assert operator.send(path, reason="x").status_code == 422
    page = operator.follow(operator.send(path, reason="A school class"))

    assert "Nothing to look at" in page
    assert "Dismissed: A school class" in operator.get(f"{BASE}/notices?dismissed=yes").text
    assert operator.send(path, reason="once more").status_code == 409


def test_limits_are_set_on_their_page_and_empty_means_none(operator: Browser, office: Office) -> None:
    page = operator.get(f"{BASE}/limits").text
    typed = {
        "card_per_hour": "2", "tell_sales_per_day": "", "tell_tills_per_day": "3", "soon_min": "0",
        "open_from": "08:00", "open_to": "22:00", "corrections.support": "50", "corrections.manager": "500",
        "corrections.operator": "5000", "corrections.integrator": "0",
    }  # fmt: skip
    assert 'name="corrections.support"' in page

    page = operator.follow(operator.send(f"{BASE}/limits", **typed))

    assert "The limits are in force from the next purchase on." in page
    kept = office.fresh().limits
    assert (kept["card_per_hour"], kept["tell_sales_per_day"], kept["open_to"]) == (2, None, "22:00")
    assert kept["corrections"]["support"] == 50
    [event] = office.events("limits_changed")
    assert event.after is not None
    assert event.after["card_per_hour"] == 2


@pytest.mark.parametrize(
    "fields", [{"card_per_hour": "many"}, {"card_per_day": "0"}, {"open_from": "08:00"}, {"soon_min": "-1"}]
)
def test_limits_that_cannot_be_meant_stay_in_the_form(
    operator: Browser, office: Office, fields: dict[str, str]
) -> None:
    answer = operator.send(f"{BASE}/limits", **fields)

    assert answer.status_code == 422
    assert f'value="{next(iter(fields.values()))}"' in answer.text
    assert office.fresh().limits == {}


def test_whose_cards_got_most_is_listed_by_person_thirty_days_at_a_time(
    operator: Browser, office: Office, clock: MovableClock
) -> None:
    with office.world.database.unit_of_work() as session:
        cashier = factories.staff(session, "cashier")
    for _ in range(3):
        earn(office, office.card, 10_000, actor=f"staff:{cashier.public_id}")
    earn(office, office.card, 10_000, actor="key:key_x", channel="api")

    page = operator.get(f"{BASE}/top-cards").text
    assert "Cashier" in page
    assert re.search(r">3</td>\s*<td[^>]*>30</td>", page)
    clock.advance(days=31)
    assert "Nobody gave points in this time" in operator.get(f"{BASE}/top-cards").text
    earlier = re.search(r"top-cards\?until=([^\"]+)", operator.get(f"{BASE}/top-cards").text)
    assert earlier is not None
    assert "Cashier" in operator.get(f"{BASE}/top-cards?until={earlier[1]}").text
    assert operator.get(f"{BASE}/top-cards?until=yesterday").status_code == 200


def test_two_cards_are_joined_after_a_look_and_parted_again(operator: Browser, office: Office) -> None:
    with office.world.database.unit_of_work() as session:
        second = factories.card(session, session.merge(office.programme), "Ayşe Y", now=office.world.clock())
    earn(office, second, 50_000)
    path = f"/admin/cards/{second.number}/join"
    assert "Which card stays?" in operator.get(path).text

    preview = operator.get(f"{path}?into={office.card.number}").text
    assert "50 Points" in preview
    assert balance(office.world, office.card) == 0
    assert operator.send(path, into=office.card.number, reason="").status_code == 422
    page = operator.follow(operator.send(path, into=office.card.number, reason="Same person"))

    assert "The cards are one now." in page
    assert balance(office.world, office.card) == 50
    joined = operator.get(f"/admin/cards/{office.card.number}/join").text
    found = re.search(r"/join/(mrg_\w+)/undo", joined)
    assert found is not None
    operator.follow(operator.send(f"{path}/{found[1]}/undo"))
    assert (balance(office.world, office.card), balance(office.world, second)) == (0, 50)
    assert operator.send(f"{path}/{found[1]}/undo").status_code == 409
    assert "Parted" in operator.get(path).text


def test_joining_with_nothing_real_is_said_beside_the_field(operator: Browser, office: Office) -> None:
    path = f"/admin/cards/{office.card.number}/join"

    assert operator.get(f"{path}?into=123").status_code == 404
    same = operator.get(f"{path}?into={office.card.number}")
    assert same.status_code == 422
    assert "These are the same card." in same.text


def test_somebody_names_their_own_card_and_gives_nothing_to_it_any_more(app: Flask, office: Office) -> None:
    with office.world.database.unit_of_work() as session:
        person = factories.staff(session, "cashier", programme=session.merge(office.programme))
    cashier = Browser(app, person)

    page = cashier.follow(cashier.send("/account/card", number=office.card.number))

    assert "a colleague does" in page
    with pytest.raises(Exception, match="own_card"):
        earn(office, office.card, 1_000, actor=f"staff:{person.public_id}")
    assert cashier.send("/account/card", number=office.card.number).status_code == 409
    assert cashier.send("/account/card", number="12").status_code == 404


def test_an_operator_names_the_card_of_somebody_who_works_here(operator: Browser, office: Office) -> None:
    with office.world.database.unit_of_work() as session:
        person = factories.staff(session, "cashier")

    page = operator.follow(operator.send(f"/admin/staff/{person.public_id}/card", number=office.card.number))

    assert codes.grouped(office.card.number) in page
    assert len(office.events("staff_card_linked")) == 1


def test_another_programme_s_correction_is_not_decided_from_here(operator: Browser, office: Office) -> None:
    with office.world.database.unit_of_work() as session:
        other = factories.programme(session, slug="other", pass_type_identifier="pass.com.example.other")
        card = factories.card(session, other, "Budi")
        person = Person(by=Actor(name="staff:x", channel="page"), role="support")
        wish = Wish(unit="points", units=300, reason="counted")
        asked = adjusting.ask(session, card, wish, person, now=office.world.clock())

    answer = operator.send(f"{BASE}/corrections/{asked.adjustment.public_id}/approve")

    assert answer.status_code == 404
    assert balance(office.world, card) == 0
