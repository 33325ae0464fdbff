"""The sample shop is right on whatever day it is made, and making it again changes nothing."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.campaigns.models import Campaign
from app.cards.models import Card, Tier
from app.commands.sample import filling, shop
from app.coupons import service as coupons
from app.fraud import service as fraud
from app.fraud.models import Adjustment
from app.habits import counting
from app.ledger import verify
from app.ledger.models import Account, Entry, Hold, Lot
from app.offers.models import Offer
from app.segments import service as segments
from app.segments.models import Segment
from app.world import World
from tests.conftest import MovableClock

PASSWORDS = {email: "a long walk by the sea" for email, _, _ in shop.STAFF}
A_TUESDAY_JUST_AFTER_MIDNIGHT = datetime(2026, 12, 1, 21, 3, tzinfo=UTC) - timedelta(days=1)
DAYS = (A_TUESDAY_JUST_AFTER_MIDNIGHT, datetime(2028, 2, 29, 9, 30, 7, 250_000, tzinfo=UTC))


def segment_size(session: Session, segment: Segment, now: datetime) -> int:
    rule = segments.rule_of(session, segment)
    return segments.count(session, segment.programme_id, rule, now=now).cards


def fill(world: World) -> None:
    with world.database.unit_of_work() as session:
        filling.fill(session, PASSWORDS, now=world.clock())


@pytest.mark.parametrize("today", DAYS)
def test_the_shop_has_something_of_every_kind_that_is_alive_today(
    world: World, clock: MovableClock, today: datetime
) -> None:
    clock.at = today

    fill(world)
    counting.follow(world)

    with world.database.reading() as session:
        begin = filling.begin(session)
        seen = dict(begin.cards)
        assert in_hand(session, seen["seven stamps of ten"], "stamp:%") == 7
        free = seen["a free coffee, and points that end soon"]
        assert in_hand(session, free, "voucher:%") == 1
        assert soon_over(session, free, today) > 0
        assert 0 < to_gold(session, seen["nearly Gold"]) < 200_00
        programme_id = free.programme_id
        gift = session.scalars(select(Card).where(Card.number == begin.gift_card)).one()
        assert in_hand(session, gift, "TRY") == 375_00
        assert coupons.find(session, programme_id, begin.codes[0]).batch.gives == "reward"
        assert {one.kind for one in fraud.open_notices(session, programme_id)} == {"many_earns", "own_card"}
        assert session.scalars(select(Adjustment.state)).all() == ["waiting"]
        holds = session.scalars(select(Hold).where(Hold.state == "open")).all()
        assert [one.expires_at > today for one in holds] == [True]
        assert session.scalar(select(func.count()).select_from(Offer).where(Offer.ends_at > today)) == 3
        states = session.execute(select(Campaign.name, Campaign.state)).all()
        assert dict(states) == {"Welcome": "sending", "Birthday cake": "sending", "Friday afternoon": "draft"}
        friday = session.scalars(select(Campaign.send_local).where(Campaign.name == "Friday afternoon")).one()
        assert datetime.fromisoformat(friday).isoweekday() == 5
        assert datetime.fromisoformat(friday).date() > today.date() - timedelta(days=1)
        found = {one.name: segment_size(session, one, today) for one in session.scalars(select(Segment))}
        assert found["Regulars"] > 0
        assert verify.differences(session) == []


def test_a_second_start_leaves_everything_as_it_was(world: World) -> None:
    fill(world)
    with world.database.reading() as session:
        before = session.scalar(select(func.count()).select_from(Entry)), filling.begin(session).codes

    fill(world)

    with world.database.reading() as session:
        assert (session.scalar(select(func.count()).select_from(Entry)), filling.begin(session).codes) == before


def in_hand(session: Session, card: Card, unit: str) -> int:
    query = select(func.coalesce(func.sum(Account.balance), 0))
    mine = Account.member_id == card.member_id, Account.role == "avail", Account.unit.like(unit)
    return int(session.scalar(query.where(*mine)) or 0)


def soon_over(session: Session, card: Card, today: datetime) -> int:
    """Points of a card that end within 30 days."""
    query = select(func.coalesce(func.sum(Lot.remaining), 0)).join(Account, Account.id == Lot.account_id)
    near = Account.member_id == card.member_id, Account.unit == "points", Lot.expires_at <= today + timedelta(days=30)
    return int(session.scalar(query.where(*near)) or 0)


def to_gold(session: Session, card: Card) -> int:
    gold = session.scalars(select(Tier.threshold_minor).where(Tier.name == "Gold")).one()
    return gold - card.qualifying_minor
