"""A manager at the till: what looks wrong at this store, corrections that wait, and own ones."""

import re

import pytest
from sqlalchemy import select

from app.cards.models import Card
from app.counter import adjusting
from app.counter.adjusting import Person, Wish
from app.counter.moves import Actor
from app.fraud import service as fraud
from app.fraud.models import Notice
from tests.app.till.conftest import Shop, Till
from tests.conftest import MovableClock

PAGE = "/till/notices"


def notice(shop: Shop, kind: str = "many_earns", *, store: int | None = None, **facts: int) -> str:
    with shop.world.database.unit_of_work() as session:
        fraud.noticed(
            session, programme_id=shop.programme.id, kind=kind, once=f"{kind}:{store}",
            actor=f"staff:{shop.cashier.public_id}",
            now=shop.world.clock(), card_id=shop.card.id, store_id=store or shop.store.id, facts=facts,
        )  # fmt: skip
    with shop.world.database.reading() as session:
        return session.scalars(select(Notice.public_id).order_by(Notice.id.desc()).limit(1)).one()


def ask(shop: Shop, units: int) -> str:
    person = Person(by=Actor(name="staff:somebody", channel="page"), role="support")
    wish = Wish(unit="points", units=units, reason="counted twice")
    with shop.world.database.unit_of_work() as session:
        card = session.get_one(Card, shop.card.id)
        return adjusting.ask(session, card, wish, person, now=shop.world.clock()).adjustment.public_id


def test_a_manager_reads_what_looks_wrong_at_this_store_and_dismisses_it(manager_till: Till, shop: Shop) -> None:
    name = notice(shop, sales=6)
    notice(shop, "many_tills", store=shop.other_store.id, tills=4)

    page = manager_till.client.get(PAGE).text
    assert "6 purchases on this day." in page
    assert "Cashier" in page
    assert "tills on this day" not in page
    assert manager_till.send(f"{PAGE}/{name}/dismiss", reason="x").status_code == 422
    assert manager_till.send(f"{PAGE}/{name}/dismiss", reason="A school class").status_code == 303

    assert "Nothing to look at" in manager_till.client.get(PAGE).text


def test_a_manager_approves_what_somebody_else_has_asked_for(manager_till: Till, shop: Shop) -> None:
    name = ask(shop, 300)
    before = shop.balance()
    assert "+300 Points" in manager_till.client.get(PAGE).text

    assert manager_till.send(f"{PAGE}/corrections/{name}/approve").status_code == 303

    assert shop.balance() == before + 300
    again = manager_till.send(f"{PAGE}/corrections/{name}/refuse")
    assert again.status_code == 409


def test_a_manager_corrects_points_and_above_the_limit_waits(manager_till: Till, shop: Shop) -> None:
    before = shop.balance()
    fields = {"code": shop.card.number, "direction": "less", "reason": "Booked twice"}

    assert manager_till.send(f"{PAGE}/corrections", units="40", **fields).status_code == 303
    assert shop.balance() == before - 40
    assert manager_till.send(f"{PAGE}/corrections", units="501", **fields | {"direction": "more"}).status_code == 303
    assert shop.balance() == before - 40
    assert "You have asked for this" in manager_till.client.get(PAGE).text


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"units": "many"}, 422),
        ({"units": "5", "reason": "x"}, 422),
        ({"units": "5", "code": "nothing"}, 422),
        ({"units": "5000", "direction": "less"}, 422),
    ],
)
def test_a_correction_that_cannot_be_meant_is_refused_in_words(
    manager_till: Till, shop: Shop, fields: dict[str, str], status: int
) -> None:
    before = shop.balance()
    values = {"code": shop.card.number, "direction": "more", "reason": "Booked twice", **fields}

    answer = manager_till.send(f"{PAGE}/corrections", **values)

    assert answer.status_code == status, answer.text
    assert re.search(r'role="alert"', answer.text)
    assert shop.balance() == before


def test_an_own_card_is_refused_at_the_till_in_words(till: Till, shop: Shop) -> None:
    actor = f"staff:{shop.cashier.public_id}"
    with shop.world.database.unit_of_work() as session:
        fraud.link_card(session, shop.card.id, actor, by="staff:m", now=shop.world.clock())
    before = shop.balance()

    answer = till.earn(shop.card, "12,50")

    assert "This is your own card; ask a colleague." in answer.text
    assert shop.balance() == before
    with shop.world.database.reading() as session:
        assert [one.kind for one in fraud.open_notices(session, shop.programme.id)] == ["own_card"]


def test_a_purchase_minutes_after_another_is_remarked_after_it(till: Till, shop: Shop, clock: MovableClock) -> None:
    first = till.done(till.earn(shop.card, "10,00"))
    clock.advance(minutes=4)
    second = till.done(till.earn(shop.card, "10,00"))
    clock.advance(minutes=11)

    third = till.done(till.earn(shop.card, "10,00"))

    line = "This card earned 4 min ago."
    assert [line in page for page in (first, second, third)] == [False, True, False]
