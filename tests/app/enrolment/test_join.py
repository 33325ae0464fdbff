"""Joining: one short page, one card."""

import re
import threading

import pytest
from flask import Flask
from sqlalchemy import select

from app.cards import people
from app.cards.models import Card, Consent, Member, Programme, Store
from app.enrolment import joining
from app.enrolment.forms import JoinForm
from app.errors import Conflict
from app.world import World
from tests import factories
from tests.app.enrolment.visitor import Visitor, members
from tests.conftest import application

INSTAGRAM = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148 Instagram 350.0"


def only_member(world: World) -> tuple[Member, people.Person]:
    with world.database.reading() as session:
        member = session.scalars(select(Member)).one()
        return member, people.of(session, member)


def set_status(world: World, status: str) -> None:
    with world.database.unit_of_work() as session:
        session.scalars(select(Programme)).one().status = status


def test_a_name_is_all_it_takes(visitor: Visitor, world: World) -> None:
    answer = visitor.join("Ayşe Yılmaz")

    assert answer.status_code == 303
    assert re.fullmatch(r"/c/[\w-]{32}\?new=1", answer.location)
    member, person = only_member(world)
    assert (person.name, person.email, person.phone) == ("Ayşe Yılmaz", None, None)
    assert member.source == "join"


def test_the_page_has_one_required_field_and_an_unticked_consent(visitor: Visitor) -> None:
    page = visitor.open("/join/kahve").text

    assert len(re.findall(r"<(?:input|select)[^>]* required", page)) == 1
    assert re.search(r'<input type="checkbox" id="f-consent"[^>]*>', page)[0].count("checked") == 0


@pytest.mark.parametrize(("form", "granted"), [({}, False), ({"consent": "yes"}, True), ({"consent": "no"}, False)])
def test_consent_is_recorded_as_it_was_given(
    visitor: Visitor, world: World, form: dict[str, str], granted: bool
) -> None:
    visitor.join(**form)

    with world.database.reading() as session:
        answer = session.scalars(select(Consent)).one()
    assert answer.granted is granted
    assert answer.source == "join"


@pytest.mark.parametrize(
    ("accepts", "asked", "language"),
    [("tr", "", "tr"), ("id-ID", "", "id"), ("tr", "?lang=id", "id"), ("fr", "", "en")],
)
def test_the_member_gets_the_language_of_the_page(
    visitor: Visitor, world: World, accepts: str, asked: str, language: str
) -> None:
    visitor.language = accepts

    visitor.join(path=f"/join/kahve{asked}")

    assert only_member(world)[0].language == language


def test_a_chosen_language_stays_chosen(visitor: Visitor) -> None:
    visitor.open("/join/kahve?lang=tr")

    assert '<html lang="tr"' in visitor.open("/join/kahve").text


@pytest.mark.parametrize(
    ("contact", "message"),
    [
        ("ayse@", "This is not an e-mail address"),
        ("ayse@@example.com", "This is not an e-mail address"),
        ("ayse@example.com\x00", "This is not an e-mail address"),
        ("12", "This is not a phone number"),
        ("hello", "This is not a phone number"),
        ("+90 999 999", "This is not a phone number"),
        ("9" * 300, "not as long as that"),
    ],
)
def test_a_faulty_contact_is_said_beside_the_field_and_everything_typed_is_kept(
    visitor: Visitor, world: World, contact: str, message: str
) -> None:
    answer = visitor.join("Ayşe", contact=contact, consent="yes")

    assert answer.status_code == 422
    assert message in answer.text
    assert 'value="Ayşe"' in answer.text
    assert 'aria-invalid="true"' in answer.text
    assert re.search(r'id="f-consent"[^>]* checked', answer.text)
    assert members(world) == 0


@pytest.mark.parametrize(
    ("typed", "kept"), [("0532 123 45 67", "+905321234567"), ("+62 812 3456 7890", "+6281234567890")]
)
def test_a_phone_number_is_read_as_people_of_the_programmes_country_write_it(
    visitor: Visitor, world: World, typed: str, kept: str
) -> None:
    visitor.join(contact=typed)

    assert only_member(world)[1].phone == kept


@pytest.mark.parametrize(
    "name",
    [
        "A",
        "Müge İnci Işık",
        "أحمد بن سعيد",
        "🦊",
        "👩‍👩‍👧 Ayşe",
        "x" * 200,
        "O'Brien <b>&amp;</b>",
        "Nguyễn Thị Minh Khai",
        "李小龍",
    ],
)
def test_any_name_that_can_be_shown_is_taken_and_shown(visitor: Visitor, world: World, name: str) -> None:
    answer = visitor.join(name)

    assert answer.status_code == 303
    assert only_member(world)[1].name == name
    page = visitor.open(answer.location)
    assert page.status_code == 200
    assert "<b>" not in page.text


@pytest.mark.parametrize(
    "name", ["", "   ", "x" * 201, "Ay\x00şe", "Ay\x1bşe", "\u202e\u0000", "\ud800"[:0] + "\ue000"]
)
def test_a_name_that_cannot_be_shown_is_refused_with_a_sentence(visitor: Visitor, world: World, name: str) -> None:
    answer = visitor.join(name)

    assert answer.status_code == 422
    assert 'id="e-name"' in answer.text
    assert "\x00" not in answer.text
    assert members(world) == 0


def test_the_eleventh_try_within_a_minute_waits(visitor: Visitor, world: World) -> None:
    hidden = visitor.hidden_fields("/join/kahve")
    post = {"data": {**hidden, "name": ""}, "environ_base": {"REMOTE_ADDR": visitor.address}}
    answers = [visitor.client.post("/join/kahve", **post) for _ in range(11)]

    assert [answer.status_code for answer in answers] == [422] * 10 + [429]
    assert answers[-1].headers["Retry-After"] == "60"
    assert Visitor(visitor.app, address="203.0.113.8").join().status_code == 303


def test_after_the_minute_the_same_place_may_try_again(visitor: Visitor, world: World) -> None:
    for _ in range(11):
        visitor.join("")

    world.clock.advance(seconds=61)  # type: ignore[attr-defined]  # the tests' clock

    assert visitor.join().status_code == 303


@pytest.mark.parametrize(("status", "sentence"), [("paused", "takes no new members"), ("ended", "has ended")])
def test_a_programme_that_is_not_live_says_so_and_shows_the_shops_that_are(
    visitor: Visitor, world: World, status: str, sentence: str
) -> None:
    set_status(world, status)
    with world.database.unit_of_work() as session:
        other = factories.programme(session, slug="kopi", name="Kopi Nusantara")
        factories.store(session, other, "Menteng")

    answer = visitor.open("/join/kahve")

    assert answer.status_code == 404
    assert sentence in answer.text
    assert "Menteng" in answer.text
    assert 'href="/join/kopi"' in answer.text


def test_a_form_sent_after_the_programme_was_paused_makes_no_card(visitor: Visitor, world: World) -> None:
    hidden = visitor.hidden_fields("/join/kahve")
    set_status(world, "paused")

    answer = visitor.client.post("/join/kahve", data={**hidden, "name": "Ayşe"})

    assert answer.status_code == 404
    assert members(world) == 0


@pytest.mark.parametrize("slug", ["nope", "KAHVE", "%00", "a" * 5000, "..%2f", "kahve%20", "kahve'--"])
def test_an_address_of_nothing_is_a_page_that_leads_to_the_shops(visitor: Visitor, shop: Store, slug: str) -> None:
    answer = visitor.open(f"/join/{slug}")

    assert answer.status_code == 404
    assert answer.mimetype == "text/html"


def test_the_shop_on_the_poster_is_kept_as_the_source(visitor: Visitor, world: World, shop: Store) -> None:
    visitor.join(path=f"/join/kahve?store={shop.public_id}")

    assert only_member(world)[0].source == f"poster:{shop.public_id}"
    assert only_member(world)[0].home_store_id == shop.id


@pytest.mark.parametrize("tag", ["sto_0000000000000000000000", "%00", "x" * 3000])
def test_a_code_of_no_shop_of_this_programme_is_a_404_with_the_shops(visitor: Visitor, shop: Store, tag: str) -> None:
    answer = visitor.open(f"/join/kahve?store={tag}")

    assert answer.status_code == 404
    assert shop.name in answer.text


def test_a_machine_that_fills_every_field_makes_no_card_and_a_person_can_mend_it(
    visitor: Visitor, world: World
) -> None:
    answer = visitor.join("Ayşe", leave_empty="https://spam.example")

    assert answer.status_code == 422
    assert "Empty it and press the button again" in answer.text
    assert members(world) == 0


def test_the_same_form_twice_makes_one_card(visitor: Visitor, world: World) -> None:
    hidden = visitor.hidden_fields("/join/kahve")
    stranger = visitor.app.test_client()
    stranger.set_cookie("tessera", visitor.client.get_cookie("tessera").value)  # type: ignore[union-attr]  # it was set

    first = visitor.client.post("/join/kahve", data={**hidden, "name": "Ayşe"})
    second = stranger.post("/join/kahve", data={**hidden, "name": "Ayşe"})

    assert first.location == second.location
    assert members(world) == 1


def test_the_same_browser_gets_the_same_card_unless_it_is_for_somebody_else(visitor: Visitor, world: World) -> None:
    other_tab = visitor.hidden_fields("/join/kahve")
    first = visitor.join("Ayşe")
    again = visitor.client.post("/join/kahve", data={**other_tab, "name": "Ayşe"})

    assert again.location == first.location.removesuffix("?new=1")
    assert "You have a card here already" in visitor.open("/join/kahve").text
    assert members(world) == 1

    other = visitor.join("Fatma", path="/join/kahve?another=1")

    assert other.location not in {first.location, again.location}
    assert members(world) == 2


def test_a_forged_card_cookie_is_nobodys(visitor: Visitor, world: World, kahve: Programme) -> None:
    link = visitor.join("Ayşe").location[3:35]
    stranger = Visitor(visitor.app, address="203.0.113.9")
    stranger.client.set_cookie(f"card-{kahve.public_id}", f'"{link}".forged')

    answer = stranger.join("Mallory")

    assert link not in answer.location


def test_a_browser_inside_another_app_is_told_the_way_out(visitor: Visitor) -> None:
    visitor.agent = INSTAGRAM

    assert "You are inside Instagram" in visitor.open("/join/kahve").text


def test_a_form_without_its_token_is_refused(visitor: Visitor, world: World) -> None:
    answer = visitor.client.post("/join/kahve", data={"name": "Ayşe"})

    assert answer.status_code == 400
    assert members(world) == 0


def test_everything_the_first_visit_loads_is_under_100_kilobytes(visitor: Visitor, shop: Store) -> None:
    page = visitor.open("/join/kahve")
    loaded = set(re.findall(r'(?:src|href)="(/(?:static|assets)/[^"]+)"', page.text))
    sizes = {path: len(visitor.open(path.replace("&amp;", "&")).data) for path in loaded}

    assert {"/static/tessera.css", "/static/join.js"} <= set(sizes)
    assert len(page.data) + sum(sizes.values()) <= 100_000


def form_of(programme: Programme, key: str, **typed: str) -> JoinForm:
    return JoinForm.parse({"name": "Ayşe", "form_key": key, **typed}, programme)


def in_parallel(world: World, programme: Programme, forms: list[JoinForm]) -> list[joining.Joined | Exception]:
    barrier = threading.Barrier(len(forms))
    answers: list[joining.Joined | Exception] = []

    def send(form: JoinForm) -> None:
        barrier.wait()
        try:
            answers.append(joining.join_or_recognise(world, programme.id, form, language="en", source="join"))
        except Exception as problem:
            answers.append(problem)

    threads = [threading.Thread(target=send, args=(form,)) for form in forms]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def test_one_form_sent_many_times_at_once_makes_one_member(any_world: World) -> None:
    with any_world.database.unit_of_work() as session:
        programme = factories.programme(session)

    answers = in_parallel(any_world, programme, [form_of(programme, "same-key") for _ in range(8)])

    assert not [answer for answer in answers if isinstance(answer, Exception)]
    links = {answer.card.link for answer in answers if isinstance(answer, joining.Joined) and answer.card}
    assert len(links) == 1
    assert members(any_world) == 1


def test_one_phone_on_many_forms_at_once_makes_one_member_and_asks_the_others_for_a_code(any_world: World) -> None:
    with any_world.database.unit_of_work() as session:
        programme = factories.programme(session)
    forms = [form_of(programme, f"key-{number}", contact="0532 123 45 67") for number in range(8)]

    answers = in_parallel(any_world, programme, forms)

    assert not [answer for answer in answers if isinstance(answer, Exception)]
    assert sum(1 for answer in answers if isinstance(answer, joining.Joined) and answer.card) == 1
    assert sum(1 for answer in answers if isinstance(answer, joining.Joined) and answer.code_id) == 7
    assert members(any_world) == 1


def test_hostile_addresses_are_answered_alike_on_both_databases(any_world: World) -> None:
    with any_world.database.unit_of_work() as session:
        factories.programme(session)
    visitor = Visitor(application(any_world))

    answers = [
        visitor.open(path).status_code for path in ("/join/%00", "/c/%00", "/c/x%00.pkpass", "/join/kahve?store=%00")
    ]

    assert answers == [404, 404, 404, 404]
    hidden = visitor.hidden_fields("/join/kahve")
    for bad in ({"name": "A\x00"}, {"name": "A", "contact": "\x00"}, {"name": "A", "form_key": "\x00"}):
        answer = visitor.client.post("/join/kahve", data={**hidden, **bad})
        assert answer.status_code in {303, 422}


def test_a_closed_programme_is_refused_below_the_page_too(world: World, kahve: Programme) -> None:
    set_status(world, "ended")

    with pytest.raises(Conflict) as refusal:
        joining.join_or_recognise(world, kahve.id, form_of(kahve, "k"), language="en", source="join")

    assert refusal.value.code == "programme_closed"


def test_the_first_page_lists_open_programmes_and_the_way_in_for_staff(visitor: Visitor, shop: Store) -> None:
    page = visitor.open("/").text

    assert 'href="/join/kahve"' in page
    assert shop.name in page
    assert 'href="/login"' in page


def test_an_empty_installation_says_what_to_do(app: Flask) -> None:
    assert "No programme is open yet" in Visitor(app).open("/").text


def test_cards_page_is_only_found_by_its_link(visitor: Visitor, world: World) -> None:
    visitor.join()
    with world.database.reading() as session:
        card = session.scalars(select(Card)).one()

    assert visitor.open(f"/c/{card.number}").status_code == 404
    assert visitor.open(f"/c/{card.serial}").status_code == 404
    assert visitor.open(f"/c/{card.link}").status_code == 200
