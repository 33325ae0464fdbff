"""Turkish and Indonesian are complete: in the catalogues, on the pages, on the cards."""

import io
import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract_from_dir
from babel.messages.frontend import parse_mapping_cfg
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from flask.testing import FlaskClient
from sqlalchemy import select

import app as product
from app.cards import codes, people
from app.cards.models import Card, Programme
from app.i18n import capitals, text, translate
from app.offers import service as offers
from app.rewards import catalogue as rewards
from app.rewards.catalogue import RewardDraft
from app.staff import service as staff_service
from app.staff.models import Staff
from app.wallets.apple.add import pass_json
from app.wallets.google import face as google
from app.wallets.view import CardView, card_view
from app.world import World
from passes.google import encode
from tests import factories
from tests.app.pages import csrf_of, post
from tests.conftest import MovableClock

APP = Path(product.__file__).parent
FOLDER = APP / "translations"
LANGUAGES = ("tr", "id")
PLACEHOLDER = re.compile(r"%\(\w+\)[a-z]|%@|%%|%")
BLANKS = re.compile(r"\s+")
Forms = tuple[str, ...]


@cache
def extractable() -> frozenset[Forms]:
    """Every text for people in the product, as it stands in the code now."""
    with (FOLDER / "babel.cfg").open() as mapping:
        methods, options = parse_mapping_cfg(mapping)  # type: ignore[no-untyped-call]  # Babel's own way
    found = extract_from_dir(APP, methods, options)
    return frozenset(forms_of(message) for _, _, message, _, _ in found)


@cache
def catalogue(language: str) -> Catalog:
    with (FOLDER / language / "LC_MESSAGES" / "messages.po").open("rb") as file:
        return read_po(file, locale=language)


def forms_of(texts: str | Iterable[str] | None) -> Forms:
    return (texts,) if isinstance(texts, str) else tuple(texts or ())


def entries(language: str) -> list[Message]:
    return [message for message in catalogue(language) if message.id]


def placeholders(line: str) -> list[str]:
    return sorted(PLACEHOLDER.findall(line))


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_text_for_people_is_translated(language: str) -> None:
    done = {
        forms_of(message.id)
        for message in entries(language)
        if not message.fuzzy and all(form.strip() for form in forms_of(message.string))
    }

    assert sorted(extractable() - done) == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_translation_holds_the_values_of_its_text(language: str) -> None:
    wrong = []
    for message in entries(language):
        texts, translations = forms_of(message.id), forms_of(message.string)
        wanted = texts if len(texts) == len(translations) else texts[-1:] * len(translations)
        wrong += [
            one for one, other in zip(wanted, translations, strict=True) if placeholders(one) != placeholders(other)
        ]

    assert wrong == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_translations_begin_and_end_as_their_texts_do(language: str) -> None:
    def edges(line: str) -> tuple[bool, bool, bool, bool]:
        return line[0].isspace(), line[-1].isspace(), line.rstrip().endswith("."), line.endswith("…")

    wrong = [
        message.id
        for message in entries(language)
        if any(edges(forms_of(message.id)[0]) != edges(form) for form in forms_of(message.string))
    ]

    assert wrong == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_compiled_catalogue_is_the_written_one(language: str) -> None:
    compiled = io.BytesIO()

    write_mo(compiled, catalogue(language))

    assert compiled.getvalue() == (FOLDER / language / "LC_MESSAGES" / "messages.mo").read_bytes()


def test_plurals_are_counted_as_each_language_does() -> None:
    assert catalogue("tr").plural_forms == "nplurals=2; plural=(n != 1);"
    assert catalogue("id").plural_forms == "nplurals=1; plural=0;"


def test_refusals_are_found_where_they_are_written(tmp_path: Path) -> None:
    (tmp_path / "till.py").write_text(
        'SORRY = {"ended": "This has ended.", 404: ("gone", "This is gone.")}\n'
        "def refuse(errors, long):\n"
        '    text = "Read before it is raised."\n'
        '    errors["name"] = Sentence("At most %(most)s.", most=5)\n'
        '    errors = {"contact": "Too long." if long else "Too short."}\n'
        '    raise Conflict("a_code", text, errors={"field": "Beside the field."})\n'
        '    LOGGER.warning("this is for the log")\n'
    )

    found = extract_from_dir(tmp_path, [("**.py", "app.translations.extract:python")])

    assert {message for _, _, message, _, _ in found} == {
        "This has ended.",
        "This is gone.",
        "Read before it is raised.",
        "At most %(most)s.",
        "Too long.",
        "Too short.",
        "Beside the field.",
    }


def test_what_has_no_translation_is_said_in_english_and_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    sentence = "Nobody has translated this for the test."

    said = [text("tr", sentence), text("tr-TR", sentence), text("en", sentence)]

    assert said == [sentence] * 3
    assert [record.getMessage() for record in caplog.records] == [f"no tr text for '{sentence}'"]


# ---- Pages and cards -------------------------------------------------------------------------------------------------


class Words(HTMLParser):
    """Collects what a person reads or hears of a page, without the parts that are marked as another language."""

    SPOKEN = ("aria-label", "alt", "title", "placeholder")
    VOID = ("input", "img", "br", "hr", "link", "meta")  # they have no end, so nothing stands in them

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.language = ""
        self.foreign: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        spoken = dict(attrs).get("lang") or self.language
        if self.language and (self.foreign or spoken != self.language):
            if tag not in self.VOID and (not self.foreign or tag == self.foreign[0]):
                self.foreign.append(tag)
            return
        for name, value in attrs:
            if tag == "html" and name == "lang":
                self.language = value or ""
            if value and (name in self.SPOKEN or (name.startswith("data-") and " " in value)):
                self.found.append(value)

    def handle_endtag(self, tag: str) -> None:
        if self.foreign and tag == self.foreign[0]:
            self.foreign.pop()

    def handle_data(self, data: str) -> None:
        if not self.foreign:
            self.found.append(data)


def english_left(language: str, read: Iterable[str]) -> set[str]:
    """Texts of ours that were left in English, where the language has another word for them."""
    english = {BLANKS.sub(" ", one).strip() for message in entries(language) for one in forms_of(message.id)}
    same = {BLANKS.sub(" ", one).strip() for message in entries(language) for one in forms_of(message.string)}
    return {line for line in (BLANKS.sub(" ", one).strip() for one in read) if line in english - same}


def read_page(client: FlaskClient, address: str, language: str, *, status: int = 200) -> list[str]:
    answer = client.get(address, headers={"Accept-Language": language})
    assert answer.status_code == status, answer.text
    words = Words()
    words.feed(answer.text)
    assert words.language == language
    assert len(words.found) > 10
    return words.found


@pytest.fixture
def card(world: World, clock: MovableClock) -> Card:
    """A member at Kahve Durağı with points, a reward in reach and an offer, seen by one of each kind of staff."""
    now = clock()
    with world.database.unit_of_work() as session:
        programme = factories.programme(session)
        store = factories.store(session, programme)
        made = factories.card(session, programme, email="ayse@example.com")
        rewards.add(session, programme, RewardDraft(name="Simit", points=20), now=now)
        draft = offers.OfferDraft(
            programme=programme, title="Çay", body="Bir çay", texts={}, starts_at=now, ends_at=now.replace(day=30),
            timezone="Europe/Istanbul", tier=None, announce=True, limit_per_card=1, limit_total=None,
        )  # fmt: skip
        offers.create(session, draft, by="staff:test", now=now)
        factories.staff(session, "cashier", store=store)
        factories.staff(session, "marketer")
        factories.staff(session, "owner")
    clock.advance(minutes=1)
    with world.database.unit_of_work() as session:
        offers.tick(session, now=clock())
    return made


@pytest.mark.parametrize("language", LANGUAGES)
def test_customers_read_their_language(client: FlaskClient, world: World, card: Card, language: str) -> None:
    with world.database.unit_of_work() as session:
        session.get_one(Card, card.id).member.language = language
    client.get(f"/?lang={language}")
    read = [
        line
        for address in ("/", "/join/kahve", "/join/kahve/again", f"/c/{card.link}", f"/c/{card.link}/leave")
        for line in read_page(client, address, language)
    ]
    read += read_page(client, "/join/nowhere", language, status=404)
    read += read_page(client, "/join/kahve/poster", language)

    assert english_left(language, read) == set()


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    ("role", "addresses"),
    [
        ("cashier", ("/till", "/till/cards/{serial}", "/account")),
        (
            "marketer",
            (
                "/marketing", "/marketing/offers/new", "/marketing/offers/{offer}", "/account", "/marketing/campaigns",
                "/marketing/campaigns/new", "/marketing/calendar", "/marketing/settings",
            ),
        ),
        (
            "owner",
            (
                "/admin", "/admin/programmes", "/admin/programmes/new", "/admin/programmes/kahve", "/admin/staff",
                "/admin/programmes/kahve/look", "/admin/programmes/kahve/stores", "/admin/programmes/kahve/rewards",
                "/admin/keys", "/admin/deliveries", "/admin/certificates", "/admin/audit", "/admin/cards",
                "/admin/cards/{number}",
            ),
        ),
    ],
    ids=["till", "marketing", "admin"],
)  # fmt: skip
def test_staff_read_their_language(
    client: FlaskClient, world: World, card: Card, role: str, addresses: Iterable[str], language: str
) -> None:
    with world.database.unit_of_work() as session:
        person = staff_service.by_email(session, f"{role}@example.com")
        assert person is not None
        person.language, session.get_one(Card, card.id).member.language = language, language
        for one in session.scalars(select(Staff)):
            one.name = "Zeynep Ak"
        (offer,) = offers.of_programme(session, card.programme_id)
    post(client, "/login", page="/login", email=f"{role}@example.com", password=factories.PASSWORD)

    names = {"serial": card.serial, "offer": offer.public_id, "number": card.number}
    read = [line for one in addresses for line in read_page(client, one.format(**names), language)]

    assert english_left(language, read) == set()


@pytest.mark.parametrize(
    ("language", "said"),
    [("tr", "Bir ad en çok 200 karakterdir."), ("id", "Nama paling banyak 200 karakter.")],
)
def test_a_refusal_with_a_value_in_it_is_translated(client: FlaskClient, card: Card, language: str, said: str) -> None:
    page = f"/join/kahve?lang={language}"

    answer = client.post(page, data={"csrf_token": csrf_of(client, page), "name": "a" * 201})

    assert answer.status_code == 422
    assert said in answer.text


def test_machines_are_answered_in_english_whatever_they_prefer(client: FlaskClient) -> None:
    answer = client.get("/api/v1/nothing", headers={"Accept-Language": "tr"})

    assert answer.json is not None
    assert answer.json["detail"] == "There is nothing at this address. Check it for a typing mistake."


def test_an_empty_refusal_stays_empty(app_context: None) -> None:
    assert translate("") == ""  # an empty msgid is the catalogue's head


@pytest.fixture
def app_context(client: FlaskClient) -> Iterator[None]:
    with client.application.test_request_context("/?lang=tr"):
        yield


def view_in(world: World, card: Card, language: str) -> CardView:
    with world.database.unit_of_work() as session:
        session.get_one(Card, card.id).member.language = language
    with world.database.reading() as session:
        return card_view(session, session.get_one(Card, card.id), now=world.clock())


@pytest.mark.parametrize(
    ("language", "labels"),
    [
        ("tr", {"Puan", "Üye", "Fırsatlar", "Ödüller", "Son haber"}),
        ("id", {"Poin", "Anggota", "Penawaran", "Hadiah", "Terbaru"}),
    ],
)
def test_apple_cards_speak_the_members_language(world: World, card: Card, language: str, labels: set[str]) -> None:
    face = pass_json(world, view_in(world, card, language))["storeCard"]

    shown = [field for fields in face.values() if isinstance(fields, list) for field in fields]
    assert labels <= {field.get("label") for field in shown}
    assert english_left(language, (str(field.get("label", "")) for field in shown)) == set()
    assert english_left(language, (str(field["value"]) for field in shown)) == set()


def test_google_classes_carry_every_language_and_objects_the_members(world: World, card: Card) -> None:
    view = view_in(world, card, "id")
    place = replace(google.place(world.settings), issuer="3388000000000000000")

    made: Any = encode.body(google.loyalty_class(view.programme, view.tier, {}, at=place))
    identifier = google.object_id(place.issuer, world.vault, view.serial)
    held: Any = encode.body(google.loyalty_object(view, id=identifier, at=place))

    label = made["localizedAccountIdLabel"]
    said = {one["language"]: one["value"] for one in (label["defaultValue"], *label["translatedValues"])}
    assert said == {"en": "Card number", "tr": "Kart numarası", "id": "Nomor kartu"}
    points = held["loyaltyPoints"]
    assert points.get("label") == "Poin" or points["localizedLabel"]["defaultValue"]["value"] == "Poin"


# ---- The dotted and the dotless i ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "language", "letters"),
    [
        ("ismail ışık", "tr", "İI"),
        ("ismail ışık", "en", "II"),
        ("İpek Irmak", "tr", "İI"),
        ("ışıl", "tr", "I"),
        ("indah iskandar", "id", "II"),
    ],
)
def test_initials_follow_the_capitals_of_the_members_language(name: str, language: str, letters: str) -> None:
    assert people.initials(name, language) == letters


def test_labels_of_a_drawn_card_take_the_capitals_of_its_language() -> None:
    assert capitals("Altın için kişi", "tr") == "ALTIN İÇİN KİŞİ"
    assert capitals("For this tier", "en") == "FOR THIS TIER"


def test_a_card_number_survives_turkish_keyboards() -> None:
    number = codes.new_number()

    assert codes.normalise(f"ly1:{number.lower()}") == number
    assert codes.normalise(number.replace("1", "i").replace("0", "o")) == number
    assert codes.normalise("ı" * 11) is None
    assert codes.normalise("İ" * 11) is None


def test_no_style_changes_letters_to_capitals() -> None:
    changed = [
        path.name
        for path in (APP / "static").rglob("*.css")
        if re.search(r"text-transform:\s*(?!none)", path.read_text(encoding="utf-8"))
    ]

    assert changed == []


def test_a_turkish_name_of_a_store_is_kept_letter_by_letter(world: World) -> None:
    with world.database.unit_of_work() as session:
        programme = factories.programme(session, name="Işık İnci Çayhanesi")
        store = factories.store(session, programme, "Iğdır İstasyonu")

    with world.database.reading() as session:
        assert session.get_one(Programme, programme.id).name == "Işık İnci Çayhanesi"
    assert store.name == "Iğdır İstasyonu"
