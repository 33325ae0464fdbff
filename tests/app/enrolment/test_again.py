"""Getting the same card again: a one-time code to the address we know, and no word about who is a member."""

import json
import re

import pytest
from sqlalchemy import select

from app.cards.models import Card, Programme
from app.clock import milliseconds
from app.enrolment.models import OneTimeCode
from app.outbox.models import Message
from app.world import World
from tests import factories
from tests.app.enrolment.visitor import Visitor, members
from tests.conftest import MovableClock

NOT_THE_CODE = "This is not the code from the mail"


@pytest.fixture
def card(world: World, kahve: Programme) -> Card:
    with world.database.unit_of_work() as session:
        programme = session.get_one(Programme, kahve.id)
        return factories.card(session, programme, email="ayse@example.com", phone="+905321234567")


def mails(world: World) -> list[tuple[str, dict[str, str]]]:
    with world.database.reading() as session:
        rows = session.scalars(select(Message).order_by(Message.created_at)).all()
    opened = [(world.vault.open(row.recipient).decode(), json.loads(world.vault.open(row.body))) for row in rows]
    return [(recipient, body) for recipient, body in opened]


def code_in(mail: dict[str, str]) -> str:
    found = re.search(r"\b\d{6}\b", mail["text"])
    assert found
    return found[0]


@pytest.mark.parametrize("contact", ["ayse@example.com", "AYSE@example.com", "0532 123 45 67"])
def test_joining_with_a_known_contact_leads_to_the_same_card_through_a_code(
    visitor: Visitor, world: World, card: Card, contact: str
) -> None:
    asked = visitor.join("Somebody", contact=contact)
    recipient, mail = mails(world)[0]
    opened = visitor.send("/join/kahve/code", {"code": f" {code_in(mail)[:3]} {code_in(mail)[3:]}"})

    assert asked.location == "/join/kahve/code"
    assert recipient == "ayse@example.com"
    assert opened.location == f"/c/{card.link}?new=1"
    assert members(world) == 1


def test_the_answer_is_the_same_for_a_stranger(visitor: Visitor, world: World, card: Card) -> None:
    pages = []
    for contact in ("ayse@example.com", "nobody@example.com"):
        person = Visitor(visitor.app, address=contact)
        sent = person.send("/join/kahve/again", {"contact": contact})
        wrong = person.send("/join/kahve/code", {"code": "000000x"})
        pages.append((sent.status_code, sent.location, wrong.status_code, re.sub(r'value="[^"]+"', "", wrong.text)))

    assert pages[0] == pages[1]
    assert NOT_THE_CODE in pages[0][3]
    assert len(mails(world)) == 1


def test_a_code_is_good_for_five_tries(visitor: Visitor, world: World, card: Card) -> None:
    visitor.send("/join/kahve/again", {"contact": "ayse@example.com"})
    right = code_in(mails(world)[0][1])
    wrong = f"{(int(right) + 1) % 1_000_000:06d}"

    answers = [visitor.send("/join/kahve/code", {"code": wrong}).text for _ in range(5)]
    late = visitor.send("/join/kahve/code", {"code": right})

    assert all(NOT_THE_CODE in text for text in answers)
    assert late.status_code == 422
    assert "too old or was tried too often" in late.text


def test_a_code_is_good_for_ten_minutes(visitor: Visitor, world: World, clock: MovableClock, card: Card) -> None:
    visitor.send("/join/kahve/again", {"contact": "ayse@example.com"})
    clock.advance(minutes=10)

    answer = visitor.send("/join/kahve/code", {"code": code_in(mails(world)[0][1])})

    assert "too old or was tried too often" in answer.text


def test_a_code_opens_the_card_once(visitor: Visitor, world: World, card: Card) -> None:
    visitor.send("/join/kahve/again", {"contact": "ayse@example.com"})
    hidden = visitor.hidden_fields("/join/kahve/code")
    code = code_in(mails(world)[0][1])
    kept = visitor.client.get_cookie("tessera")
    assert kept

    first = visitor.client.post("/join/kahve/code", data={**hidden, "code": code})
    visitor.client.set_cookie("tessera", kept.value)
    second = visitor.client.post("/join/kahve/code", data={**hidden, "code": code})

    assert first.status_code == 303
    assert second.status_code == 422


def test_another_browser_cannot_use_the_code(visitor: Visitor, world: World, card: Card) -> None:
    visitor.send("/join/kahve/again", {"contact": "ayse@example.com"})
    mallory = Visitor(visitor.app, address="198.51.100.1")
    mallory.send("/join/kahve/again", {"contact": "mallory@example.com"})

    answer = mallory.send("/join/kahve/code", {"code": code_in(mails(world)[0][1])})

    assert NOT_THE_CODE in answer.text


def test_a_card_gets_at_most_three_mails_an_hour(
    visitor: Visitor, world: World, clock: MovableClock, card: Card
) -> None:
    for _ in range(6):
        visitor.send("/join/kahve/again", {"contact": "ayse@example.com"})

    assert len(mails(world)) == 3


def test_without_mail_the_page_sends_people_to_the_till_whoever_they_are(
    visitor: Visitor, world: World, card: Card
) -> None:
    object.__setattr__(world.settings, "smtp_url", "")
    pages = []
    for contact in ("ayse@example.com", "nobody@example.com"):
        visitor.send("/join/kahve/again", {"contact": contact})
        pages.append(visitor.open("/join/kahve/code").text)

    assert pages[0] == pages[1]
    assert "Ask at the till" in pages[0]
    assert mails(world) == []


@pytest.mark.parametrize("contact", ["", "   ", "x", "\x00", "a@b"])
def test_a_contact_that_is_none_is_said_beside_the_field(visitor: Visitor, contact: str) -> None:
    answer = visitor.send("/join/kahve/again", {"contact": contact})

    assert answer.status_code == 422
    assert 'id="e-contact"' in answer.text


def test_the_code_page_without_a_code_asked_for_leads_back(visitor: Visitor) -> None:
    assert visitor.open("/join/kahve/code").location == "/join/kahve/again"


def test_neither_code_nor_address_is_readable_in_the_database(visitor: Visitor, world: World, card: Card) -> None:
    visitor.send("/join/kahve/again", {"contact": "ayse@example.com"})

    code = code_in(mails(world)[0][1])
    with world.database.reading() as session:
        asked = session.scalars(select(OneTimeCode)).one()
        sent = session.scalars(select(Message)).one()
    assert code not in asked.digest
    assert code.encode() not in sent.body
    assert b"ayse" not in sent.recipient
    assert milliseconds(asked.expires_at) == milliseconds(world.clock()) + 600_000
