"""Cards with money, and cards without a person, on both wallets: money and nothing of points; no name of anybody."""

import json
import zipfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from app.cards.models import Card, Programme
from app.counter import paying
from app.counter.moves import Actor
from app.counter.swapping import replace_card
from app.delivery.engine import Engine
from app.sandbox.apple_phone import ApplePhone
from app.sandbox.sandbox import Sandbox
from app.value import stock
from app.value.service import NewLoad, Payment
from app.wallets import programme as shared
from app.wallets.apple import face
from app.wallets.apple.add import signed_pass
from app.wallets.apple.push import AppleChannel
from app.wallets.apple.stencil import cut, kind, own
from app.wallets.google import face as google
from app.wallets.view import CardRow, card_views, cards_by, draw
from app.world import World
from passes.apple.encode import encode as apple_encode
from passes.apple.lint import lint
from passes.google.encode import body
from passes.google.ids import ResourceId
from tests.app.wallets.apple.test_phone import Town
from tests.conftest import MovableClock
from tests.google_schema import assert_valid

TILL = Actor(name="Can", channel="till")
AT = google.Place(issuer="3388000000000000001", base_url="https://cards.example.com", callback_url=None)


@pytest.fixture
def gift(world: World, card: Card) -> Card:
    """A gift card with 500.00 on it, in a programme that has tiers, offers and rewards."""
    with world.database.unit_of_work() as session:
        programme = session.get_one(Programme, card.programme_id)
        made = stock.issue(session, programme, "gift", source="test", now=world.clock())
        new = NewLoad(amount_minor=500_00, currency="TRY", reference="POS 1")
        paying.load(session, made, new, by=TILL, now=world.clock())
        return made


@pytest.fixture
def town(world: World, clock: MovableClock, gift: Card, sandbox: Sandbox, tmp_path: Path) -> Iterator[Town]:
    """The gift card and a phone for it."""
    root = sandbox.ca_file.read_bytes()
    phone = ApplePhone(sandbox.hub, tmp_path / "phone", root_pem=root, retry_delays_s=(0.1, 0.2))
    engine = Engine(world=world, channels={"apple": AppleChannel(world)})
    yield Town(world=world, clock=clock, card=gift, phone=phone, engine=engine)
    phone.close()


def pay(world: World, card: Card, minor: int) -> None:
    payment = Payment(amount_minor=minor, currency="TRY")
    with world.database.unit_of_work() as session:
        paying.pay(session, session.get_one(Card, card.id), payment, by=TILL, now=world.clock())


def pass_of(world: World, card: Card) -> dict[str, Any]:
    archive = zipfile.ZipFile(BytesIO(signed_pass(world, card.id).content))
    content: dict[str, Any] = json.loads(archive.read("pass.json"))
    return content


def test_an_iphone_shows_money_in_its_currency_and_nothing_of_points(world: World, gift: Card) -> None:
    content = pass_of(world, gift)

    [balance] = content["storeCard"]["headerFields"]
    assert (balance["value"], balance["currencyCode"]) == (500.00, "TRY")
    assert "amount" not in balance["label"].lower()
    keys = {one["key"] for group in content["storeCard"].values() for one in group}
    assert keys.isdisjoint({"member", "next", "offer", "rewards", "latest"})
    assert "TRY" not in json.dumps(content["storeCard"]["primaryFields"])


def test_a_payment_changes_what_the_phone_shows_and_sounds(town: Town, gift: Card) -> None:
    town.join()

    pay(town.world, gift, 320_50)
    town.deliver()

    assert town.shows("balance", 179.5)
    assert len(town.phone.lock_screen) == 1


def test_wallet_would_refuse_nothing(world: World, gift: Card, sandbox: Sandbox, town: Town) -> None:
    content = signed_pass(world, gift.id).content

    verdict = town.phone.add(content)
    root = x509.load_pem_x509_certificate(sandbox.ca_file.read_bytes())

    assert verdict.accepted
    assert list(verdict.reasons) == []
    findings = lint(content, at=world.clock(), roots=[root])
    assert {one.code for one in findings} <= {"web-service-url-local"}  # this machine's address


def test_google_shows_the_same_money(world: World, gift: Card) -> None:
    with world.database.reading() as session:
        view = card_views(session, [gift.id], world.clock())[gift.id]

    found = body(google.loyalty_object(view, id=ResourceId(issuer=AT.issuer, suffix="card.x"), at=AT))

    assert_valid("LoyaltyObject", found)
    assert found["loyaltyPoints"]["balance"] == {"money": {"micros": "500000000", "currencyCode": "TRY"}}
    assert "accountName" not in found
    assert "rewards" not in json.dumps(found)


def test_a_replaced_gift_card_is_void_on_the_phone_and_the_new_one_has_the_money(world: World, gift: Card) -> None:
    with world.database.unit_of_work() as session:
        new = replace_card(session, gift.id, by=TILL, now=world.clock(), reason="lost").card

    assert pass_of(world, gift)["voided"] is True
    assert pass_of(world, new)["storeCard"]["headerFields"][0]["value"] == 500.00


def test_a_card_without_a_person_names_nobody_and_says_what_it_is(world: World, card: Card) -> None:
    with world.database.unit_of_work() as session:
        programme = session.get_one(Programme, card.programme_id)
        bearer = stock.issue(session, programme, "bearer", source="test", now=world.clock())

    [primary] = pass_of(world, bearer)["storeCard"]["primaryFields"]

    assert primary["value"]


def test_stencils_of_gift_cards_are_filled_with_their_own_money(world: World, gift: Card) -> None:
    with world.database.unit_of_work() as session:
        programme = session.get_one(Programme, gift.programme_id)
        other = stock.issue(session, programme, "gift", source="test", now=world.clock())
        paying.load(
            session, other, NewLoad(amount_minor=7, currency="TRY", reference="POS 2"), by=TILL, now=world.clock()
        )
    with world.database.reading() as session:
        known = shared.facts(session, [gift.programme_id])[gift.programme_id]
        rows = [CardRow._make(one) for one in session.execute(cards_by(Card.id.in_([gift.id, other.id])))]
    first, second = (draw(row, known, vault=world.vault, now=world.clock()) for row in rows)

    assert kind(rows[0], first) == kind(rows[1], second)
    stencil = cut(first, base_url="https://cards.example.com")
    for row, view in zip(rows, (first, second), strict=True):
        drawn = apple_encode(face.store_card(view, base_url="https://cards.example.com", token="ab" * 32))
        assert stencil.fill(own(row, view, "ab" * 32)) == drawn
