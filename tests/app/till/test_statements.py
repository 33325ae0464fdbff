"""How much a scan asks of the database: a fixed number of statements, whatever the card has behind it."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from sqlalchemy import event

from app.cards import codes
from app.cards.models import Programme
from app.counter import rewarding, sales
from app.counter.moves import Actor
from app.counter.pricing import Sale
from app.offers import service as offers
from app.offers.service import OfferDraft
from app.rewards import catalogue
from app.rewards.catalogue import RewardDraft
from app.stamps import service as stamps
from app.stamps.drafts import StampCardDraft
from tests.app.till.conftest import Shop, Till

MOST = 26


@contextmanager
def statements(shop: Shop) -> Iterator[list[str]]:
    """What is asked of the database within the block."""
    asked: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        asked.append(statement)

    engine = shop.world.database.engine
    event.listen(engine, "before_cursor_execute", note)
    yield asked
    event.remove(engine, "before_cursor_execute", note)


def scanned(till: Till, shop: Shop) -> list[str]:
    with statements(shop) as asked:
        answer = till.client.post(
            "/till/scan",
            data={"csrf_token": till.token, "code": codes.barcode_message(shop.card.number)},
            headers={"X-Requested-With": "fetch"},
        )
    assert answer.status_code == 200
    return asked


def stocked(shop: Shop) -> None:
    """Offers, rewards and stamp cards, as many as a busy shop has."""
    now = shop.world.clock()
    with shop.world.database.unit_of_work() as session:
        programme = session.get_one(Programme, shop.programme.id)
        for number in range(8):
            draft = RewardDraft(name=f"Reward {number}", points=5 + number, limit_per_member=50)
            catalogue.add(session, programme, draft, now=now)
            offer = OfferDraft(
                programme=programme, title=f"Offer {number}", body="x", starts_at=now + timedelta(seconds=1),
                ends_at=now + timedelta(hours=9), timezone="Europe/Istanbul", limit_per_card=1 + number,
            )  # fmt: skip
            offers.create(session, offer, by="cli", now=now)
        for place, name in enumerate(("Coffee", "Tea", "Cake"), start=1):
            stamp_card = StampCardDraft(programme=programme, name=name, reward=name, size=10, priority=place)
            stamps.create(session, stamp_card, by="cli", now=now)
    shop.world.clock.advance(seconds=2)  # type: ignore[attr-defined]
    with shop.world.database.unit_of_work() as session:
        offers.tick(session, now=shop.world.clock())


def test_a_scan_asks_no_more_of_a_card_with_a_long_history(till: Till, shop: Shop) -> None:
    stocked(shop)
    by = Actor(name="key:pos", channel="api")
    with shop.world.database.unit_of_work() as session:
        reward = catalogue.for_points(session, shop.programme.id)[0]
        rewarding.redeem_reward(session, shop.card, reward, by=by, now=shop.world.clock(), store=shop.store)
        offer = offers.of_programme(session, shop.programme.id)[0].public_id
    till.redeem(shop.card, offer=offer)
    before = scanned(till, shop)

    for _ in range(20):
        shop.world.clock.advance(seconds=3)  # type: ignore[attr-defined]
        with shop.world.database.unit_of_work() as session:
            sale = Sale(amount_minor=5_000, currency="TRY", store=shop.store)
            sales.earn(
                session, shop.card, sale, by=Actor(name=shop_actor(shop), channel="till"), now=shop.world.clock()
            )
            rewarding.redeem_reward(
                session, shop.card, reward, by=by, now=shop.world.clock() + timedelta(seconds=1), store=shop.store
            )
    shop.world.clock.advance(minutes=1)  # type: ignore[attr-defined]
    after = scanned(till, shop)

    assert len(after) <= len(before), "\n".join(after)
    assert len(after) <= MOST, "\n".join(after)


def shop_actor(shop: Shop) -> str:
    return f"staff:{shop.cashier.public_id}"
