"""What members wish for on their card's page: each yes on its own, quiet hours, how often, topics, zone, birthday."""

import re

import pytest
from sqlalchemy import select

from app.cards import consents, people, preferences
from app.cards.models import Card, Consent, Member, Programme
from app.cards.preferences import Wishes
from app.enrolment.card.wishes import shortened
from app.world import World
from tests import factories
from tests.app.campaigns.crowd import launched
from tests.app.enrolment.visitor import Visitor
from tests.conftest import MovableClock

FIELDS = {
    "language": "en", "per_week": "2", "quiet_from": "20:00", "quiet_to": "11:00", "timezone": "Asia/Jakarta",
    "birthday_day": "23", "birthday_month": "04", "consent.survey.wallet": "yes",
}  # fmt: skip


@pytest.fixture
def card(world: World, kahve: Programme) -> Card:
    with world.database.unit_of_work() as session:
        return factories.card(session, session.get_one(Programme, kahve.id), email="ayse@example.com")


def send(visitor: Visitor, card: Card, **form: str) -> tuple[int, str]:
    answer = visitor.send(f"/c/{card.link}/preferences", form, from_page=f"/c/{card.link}")
    return answer.status_code, answer.text


def ticked(page: str) -> list[str]:
    return re.findall(r'<input type="checkbox"[^>]* name="([^"]+)"[^>]* checked', page)


def test_nothing_is_ticked_for_anybody(visitor: Visitor, card: Card) -> None:
    page = visitor.open(f"/c/{card.link}").text

    assert ticked(page) == []
    assert "Yes, Kahve Durağı may send me offers on my card." in page
    assert "Yes, Kahve Durağı may send me offers by e-mail." in page
    assert "by text message" not in page  # no phone is known


def test_what_was_saved_stands_on_the_page_and_is_kept_with_its_proof(
    visitor: Visitor, world: World, card: Card
) -> None:
    status, _ = send(visitor, card, **FIELDS)
    page = visitor.open(f"/c/{card.link}").text

    assert status == 303
    assert ticked(page) == ["consent.survey.wallet"]
    for shown in ('value="20:00"', 'value="11:00"', 'value="Asia/Jakarta" selected', 'value="23" selected'):
        assert shown in page
    with world.database.reading() as session:
        member = session.get_one(Member, card.member_id)
        wishes = preferences.of(session, member)
        answer = consents.history(session, member.id)[0]
        assert people.of(session, member).birthday == "04-23"
        assert not member.marketing_consent
    assert wishes == Wishes(
        language="en", timezone="Asia/Jakarta", quiet_from="20:00", quiet_to="11:00", per_week=2
    )  # fmt: skip
    assert (answer.purpose, answer.granted, answer.source, answer.actor) == ("survey", True, "page", "member")
    assert answer.proof.endswith("203.0.113.0/24")


def test_each_yes_is_taken_back_on_its_own(visitor: Visitor, world: World, card: Card) -> None:
    send(visitor, card, **FIELDS, **{"consent": "yes", "consent.marketing.email": "yes"})
    send(visitor, card, **FIELDS, **{"consent.marketing.email": "yes"})

    with world.database.reading() as session:
        said = {one: consents.is_granted(session, card.member_id, *one.subject) for one in consents.QUESTIONS}
        member = session.get_one(Member, card.member_id)
        assert not member.marketing_consent
        assert session.scalars(select(Consent.granted).order_by(Consent.id.desc())).first() is False
    assert {one.key for one, yes in said.items() if yes} == {"marketing.email", "survey.wallet"}


def test_a_form_of_old_changes_what_it_asked_for_alone(visitor: Visitor, world: World, card: Card) -> None:
    send(visitor, card, **FIELDS)
    hidden = visitor.hidden_fields(f"/c/{card.link}")
    form = {"csrf_token": hidden["csrf_token"], "language": "tr", "consent": "yes"}
    visitor.client.post(f"/c/{card.link}/preferences", data=form)

    with world.database.reading() as session:
        member = session.get_one(Member, card.member_id)
        assert preferences.of(session, member).per_week == 2
        assert (member.language, member.marketing_consent) == ("tr", True)
        assert consents.is_granted(session, member.id, "survey", "wallet")


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ({"birthday_day": "30", "birthday_month": "02"}, "There is no such day in that month"),
        ({"birthday_day": "5", "birthday_month": ""}, "There is no such day in that month"),
        ({"birthday_day": "\x00", "birthday_month": "١"}, "There is no such day in that month"),
        ({"quiet_from": "", "quiet_to": "11:00"}, "Quiet hours have a beginning and an end."),
        ({"quiet_from": "25:61"}, "Write the time as hours and minutes"),
        ({"timezone": "Mars/Olympus"}, "This is no time zone"),
        ({"per_week": "99"}, "Choose from 0 to 7 messages a week."),
        ({"per_week": "²"}, "Choose from 0 to 7 messages a week."),
    ],
)
def test_a_form_with_a_fault_keeps_nothing_and_says_what_to_mend(
    visitor: Visitor, world: World, card: Card, typed: dict[str, str], said: str
) -> None:
    status, page = send(visitor, card, **{**FIELDS, **typed})

    assert status == 422
    assert said in page
    assert ticked(page) == ["consent.survey.wallet"]  # what was typed is not lost
    with world.database.reading() as session:
        assert preferences.of(session, session.get_one(Member, card.member_id)) == Wishes(language="en")
        assert len(consents.history(session, card.member_id)) == 1


def test_a_birthday_is_not_changed_twice_in_a_year(visitor: Visitor, card: Card, clock: MovableClock) -> None:
    send(visitor, card, **FIELDS)
    send(visitor, card, **{**FIELDS, "birthday_month": "05"})
    clock.advance(days=300)

    status, page = send(visitor, card, **{**FIELDS, "birthday_month": "06"})

    assert status == 422
    assert "The birthday was changed less than a year ago; it can be changed again from 2027-11-20 on." in page


def test_topics_of_campaigns_can_be_left_out(visitor: Visitor, world: World, kahve: Programme, card: Card) -> None:
    for topic in ("Cakes, tarts", "Beans", "security"):
        with world.database.reading() as session:
            programme = session.get_one(Programme, kahve.id)
        launched(world, programme, topic=topic, trigger={"on": "welcome"}, send_local="")
    page = visitor.open(f"/c/{card.link}").text
    assert ticked(page) == ["topic", "topic"]
    assert "security" not in page

    send(visitor, card, **FIELDS, topic="Beans")

    with world.database.reading() as session:
        wishes = preferences.of(session, session.get_one(Member, card.member_id))
    assert wishes.unwanted_topics == ("Cakes, tarts",)


@pytest.mark.parametrize("language", ["tr", "id"])
def test_the_form_speaks_the_members_language(visitor: Visitor, card: Card, language: str) -> None:
    english, other = (visitor.open(f"/c/{card.link}?lang={one}").text for one in ("en", language))

    for words in ("What I say yes to", "Messages a week", "My time zone", "My birthday", "may send me offers"):
        assert words in english
        assert words not in other


@pytest.mark.parametrize(
    ("address", "kept"),
    [("203.0.113.7", "203.0.113.0/24"), ("2001:db8:1:2::3", "2001:db8:1::/48"), ("", ""), ("x", "")],
)
def test_a_network_address_is_kept_without_what_makes_it_one_persons(address: str, kept: str) -> None:
    assert shortened(address) == kept


def test_an_address_that_leads_to_the_form_opens_it(visitor: Visitor, card: Card) -> None:
    answer = visitor.open(f"/c/{card.link}/preferences")

    assert (answer.status_code, answer.location) == (302, f"/c/{card.link}#preferences")
