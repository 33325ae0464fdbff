"""My card: what the holder sees, downloads, changes and gives up."""

import csv
import io
import json
import re
import zipfile
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from app.cards import service as cards
from app.cards.models import Card, Consent, Programme, Store
from app.counter import sales
from app.counter.moves import Actor
from app.counter.pricing import Sale
from app.ledger import service as ledger
from app.offers.models import Offer
from app.rewards import catalogue
from app.rewards.catalogue import RewardDraft
from app.world import World
from tests import factories
from tests.app.enrolment.visitor import Visitor
from tests.conftest import MovableClock

ANDROID = "Mozilla/5.0 (Linux; Android 16; Pixel 9) AppleWebKit/537.36 Chrome/140.0 Mobile Safari/537.36"
TILL = Actor(name="staff:1", channel="till")


@pytest.fixture
def card(world: World, kahve: Programme) -> Card:
    with world.database.unit_of_work() as session:
        return factories.card(session, session.get_one(Programme, kahve.id), email="ayse@example.com")


def earn(world: World, card: Card, amount_minor: int, **sale: object) -> None:
    with world.database.unit_of_work() as session:
        found = cards.by_serial(session, "pass.com.example.kahve", card.serial)
        assert found is not None
        bought = Sale(amount_minor=amount_minor, currency="TRY", **sale)  # type: ignore[arg-type]  # the caller's own
        sales.earn(session, found, bought, by=TILL, now=world.clock())


def add_offer(world: World, programme: Programme, **over: object) -> None:
    now = world.clock()
    values: dict[str, object] = {
        "public_id": "off_1",
        "programme_id": programme.id,
        "title": "Double points",
        "body": "On filter coffee",
        "texts": {"tr": {"title": "Çift puan", "body": "Filtre kahvede"}},
        "starts_at": now - timedelta(hours=1),
        "ends_at": now + timedelta(hours=49),
        "timezone": "Europe/Istanbul",
        "state": "live",
        "created_by": "test",
        "created_at": now,
        **over,
    }
    with world.database.unit_of_work() as session:
        session.add(Offer(**values))


def test_the_page_shows_the_balance_the_offers_and_what_happened(
    visitor: Visitor, world: World, kahve: Programme, shop: Store, card: Card
) -> None:
    earn(world, card, 118_000, receipt="A-1", store=shop)
    add_offer(world, kahve)
    with world.database.unit_of_work() as session:
        catalogue.add(session, session.merge(kahve), RewardDraft(name="Free coffee", points=50), now=world.clock())
        catalogue.add(session, session.merge(kahve), RewardDraft(name="Bag of beans", points=400), now=world.clock())

    page = visitor.open(f"/c/{card.link}").text

    assert '<span class="balance">118</span>' in page
    assert "as of 20 Nov 2026, 13:00" in page
    assert "820 TRY to Silver" in page
    assert "Double points" in page
    assert "Ends in 2 days" in page
    assert "Yours: ask at the till" in page
    assert "282 to go" in page
    assert "+118" in page
    assert shop.name in page
    assert "A-1" in page


def test_an_offer_that_ended_is_gone_without_anybody_ticking(
    visitor: Visitor, world: World, clock: MovableClock, kahve: Programme, card: Card
) -> None:
    add_offer(world, kahve)
    clock.advance(hours=49)

    assert "Double points" not in visitor.open(f"/c/{card.link}").text


def test_a_new_card_has_nothing_yet_and_says_what_to_do(visitor: Visitor, card: Card) -> None:
    page = visitor.open(f"/c/{card.link}?new=1").text

    assert "Your card is ready" in page
    assert "Nothing yet." in page
    assert "None at the moment." in page


def test_the_page_speaks_the_members_language_unless_asked_otherwise(
    visitor: Visitor, world: World, kahve: Programme, card: Card
) -> None:
    add_offer(world, kahve)
    with world.database.unit_of_work() as session:
        session.get_one(Card, card.id).member.language = "tr"

    assert '<html lang="tr"' in visitor.open(f"/c/{card.link}").text
    assert "Çift puan" in visitor.open(f"/c/{card.link}").text
    assert "Double points" in visitor.open(f"/c/{card.link}?lang=en").text


def test_the_address_is_kept_from_caches_search_engines_and_other_sites(visitor: Visitor, card: Card) -> None:
    for path in (f"/c/{card.link}", f"/c/{card.link}/data.zip", f"/c/{card.link}/leave", "/c/" + "x" * 32):
        headers = visitor.open(path).headers
        assert headers["Cache-Control"] == "no-store"
        assert headers["Referrer-Policy"] == "no-referrer"
        assert "noindex" in headers["X-Robots-Tag"]


@pytest.mark.parametrize("link", ["x" * 32, "x", "%00", "a" * 4000, "-", "💳"])
def test_a_link_that_opens_nothing_is_a_page_that_says_where_to_find_it(visitor: Visitor, link: str) -> None:
    for path in (f"/c/{link}", f"/c/{link}.pkpass", f"/c/{link}/google", f"/c/{link}/data.zip", f"/c/{link}/leave"):
        answer = visitor.open(path)
        assert answer.status_code == 404
        assert answer.mimetype == "text/html"


def first_wallet(page: str) -> str:
    return re.findall(r'<a class="wallet[^"]*" href="[^"]*"[^>]*>.*?Add to (\w+) Wallet', page)[0]


def open_google(world: World, path: Path) -> None:
    path.write_text("{}")
    object.__setattr__(world.settings, "google_credentials", path)
    object.__setattr__(world.settings, "google_issuer_id", "3388000000012345678")


def test_both_wallets_are_offered_the_one_of_the_phone_first(
    visitor: Visitor, world: World, tmp_path: Path, certificate: Path, card: Card
) -> None:
    open_google(world, tmp_path / "account.json")

    on_iphone = visitor.open(f"/c/{card.link}").text
    visitor.agent = ANDROID
    on_android = visitor.open(f"/c/{card.link}").text

    assert first_wallet(on_iphone) == "Apple"
    assert first_wallet(on_android) == "Google"
    for page in (on_iphone, on_android):
        assert f'href="/c/{card.link}.pkpass"' in page
        assert f'href="/c/{card.link}/google"' in page


def test_a_wallet_that_is_not_set_up_is_a_sentence_not_a_dead_button(visitor: Visitor, card: Card) -> None:
    page = visitor.open(f"/c/{card.link}").text

    assert 'class="wallet' not in page
    assert "Apple Wallet cards cannot be made at the moment" in page
    assert "Google Wallet is not set up" in page


def test_an_expired_certificate_closes_the_apple_button(
    visitor: Visitor, clock: MovableClock, certificate: Path, card: Card
) -> None:
    assert f"/c/{card.link}.pkpass" in visitor.open(f"/c/{card.link}").text

    clock.advance(days=3000)

    assert f"/c/{card.link}.pkpass" not in visitor.open(f"/c/{card.link}").text


def test_the_pass_downloads_as_wallet_wants_it(visitor: Visitor, certificate: Path, card: Card) -> None:
    answer = visitor.open(f"/c/{card.link}.pkpass")

    assert answer.mimetype == "application/vnd.apple.pkpass"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="kahve.pkpass"'
    with zipfile.ZipFile(io.BytesIO(answer.data)) as package:
        shown = json.loads(package.read("pass.json"))
    assert shown["serialNumber"] == card.serial
    unchanged = visitor.client.get(
        f"/c/{card.link}.pkpass", headers={"If-Modified-Since": answer.headers["Last-Modified"]}
    )
    assert unchanged.status_code == 304


def test_a_pass_that_cannot_be_signed_is_a_page_not_a_failure(visitor: Visitor, card: Card) -> None:
    answer = visitor.open(f"/c/{card.link}.pkpass")

    assert answer.status_code == 503
    assert answer.mimetype == "text/html"


def test_google_without_configuration_is_a_page_not_a_failure(visitor: Visitor, card: Card) -> None:
    assert visitor.open(f"/c/{card.link}/google").status_code == 503


def test_preferences_change_the_language_of_the_card_and_keep_each_answer(
    visitor: Visitor, world: World, card: Card
) -> None:
    page, address = f"/c/{card.link}", f"/c/{card.link}/preferences"

    saved = visitor.send(address, {"language": "tr", "consent": "yes"}, from_page=page)
    visitor.send(address, {"language": "tr"}, from_page=page)

    assert saved.status_code == 303
    with world.database.reading() as session:
        found = session.get_one(Card, card.id)
        answers = [one.granted for one in session.scalars(select(Consent).order_by(Consent.id))]
        assert found.member.language == "tr"
        assert found.version == 2
        assert found.member.marketing_consent is False
    assert answers == [False, True, False]


def test_an_unknown_language_changes_nothing(visitor: Visitor, world: World, card: Card) -> None:
    visitor.send(f"/c/{card.link}/preferences", {"language": "xx\x00"}, from_page=f"/c/{card.link}")

    with world.database.reading() as session:
        assert session.get_one(Card, card.id).member.language == "en"


def test_my_data_is_complete_and_opens_in_a_spreadsheet_without_harm(
    visitor: Visitor, world: World, shop: Store, card: Card
) -> None:
    earn(world, card, 12_000, receipt="=1+1", store=shop)

    answer = visitor.open(f"/c/{card.link}/data.zip")

    with zipfile.ZipFile(io.BytesIO(answer.data)) as package:
        member = json.loads(package.read("member.json"))
        rows = list(csv.DictReader(io.StringIO(package.read("entries.csv").decode("utf-8-sig"))))
        assert set(package.namelist()) >= {"README.txt", "entries.json", "offers.json", "offers.csv"}
    assert (member["name"], member["email"], member["card"]["balance"]) == ("Ayşe Yılmaz", "ayse@example.com", 12)
    assert [answer["yes"] for answer in member["answers"]] == [False]
    assert [(row["kind"], row["points"], row["amount"], row["receipt"]) for row in rows] == [
        ("earn", "12", "120.00", "'=1+1")
    ]


def test_leaving_asks_first_then_erases_once_and_answers_alike_after(
    visitor: Visitor, world: World, card: Card
) -> None:
    earn(world, card, 12_000)
    address = f"/c/{card.link}/leave"

    asked = visitor.open(address)
    hidden = visitor.hidden_fields(address)
    first, second = (visitor.client.post(address, data=hidden) for _ in range(2))

    assert "Your balance of 12 is lost." in asked.text
    assert (first.status_code, second.status_code) == (200, 200)
    assert "Your card is erased" in second.text
    assert visitor.open(f"/c/{card.link}").status_code == 404
    with world.database.reading() as session:
        found = session.get_one(Card, card.id)
        assert found.status == "erased"
        assert found.member.sealed is None
        assert ledger.balance_of(session, found.member_id) == 12


def test_a_voided_card_says_so_and_offers_no_wallet(
    visitor: Visitor, world: World, certificate: Path, card: Card
) -> None:
    with world.database.unit_of_work() as session:
        session.get_one(Card, card.id).status = "voided"

    page = visitor.open(f"/c/{card.link}").text

    assert "This card is no longer valid" in page
    assert 'class="wallet' not in page
