"""What is going on in the sample shop on the day of the first start: something of every kind to look at and to try."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from app.cards.models import Card, Store
from app.clubs import service as clubs
from app.clubs.models import Club
from app.clubs.service import Term
from app.commands.sample import members, shop
from app.commands.sample.members import Town
from app.counter import adjusting, paying, returns, rewarding, sales, stamping, visiting
from app.counter.adjusting import Person, Wish
from app.counter.moves import Actor
from app.counter.pricing import Sale
from app.coupons import batches
from app.coupons.batches import BatchDraft
from app.errors import Forbidden
from app.fraud import service as fraud
from app.ledger import held
from app.ledger.held import POINTS
from app.ledger.holds import LONGEST_LIFE
from app.ledger.reversals import Returned
from app.rewards.models import Reward
from app.staff import service as staff
from app.stamps import service as stamps
from app.stamps.drafts import StampCardDraft
from app.stamps.models import StampCard
from app.value import stock
from app.value.service import NewLoad, Payment

STAMPS_SINCE = timedelta(days=10)
CODES = 5
TO_GOLD_MINOR = 18_000


@dataclass(frozen=True, kw_only=True)
class Shift:
    """Who works today, and where."""

    cashier: Actor
    support: Actor
    store: Store


def happen(session: Session, town: Town, cards: Mapping[str, Card], rewards: Mapping[str, Reward], club: Club) -> None:
    """Let all of it happen, within the last hour."""
    shift = Shift(
        cashier=_actor(session, "cashier", "till"), support=_actor(session, "support", "page"), store=town.stores[0]
    )
    _stamp(session, town, shift, cards)
    clubs.join(session, club, cards[members.GRACE], Term(reference="RCPT-77"), by="demo", now=town.now)
    _come_near_to_gold(session, town, shift, cards[members.BUDI])
    _return_a_line(session, town, shift, cards[members.GRACE])
    _reward(session, town, shift, cards, rewards)
    _sell_a_gift_card(session, town, shift)
    _use_a_bearer_card(session, town, shift)
    _be_noticed(session, town, shift, cards)
    _make_codes(session, town)


def _actor(session: Session, role: str, channel: str) -> Actor:
    person = staff.by_email(session, f"{role}@demo.example")
    return Actor(name=f"staff:{person.public_id}" if person else "demo", channel=channel)


def _stamp(session: Session, town: Town, shift: Shift, cards: Mapping[str, Card]) -> None:
    """Ten coffees, one free: one member has seven, another has filled a card and begun the next."""
    began = town.now - STAMPS_SINCE
    card = stamps.create(
        session,
        StampCardDraft(
            programme=town.programme,
            name="Coffee card",
            reward="A coffee on us",
            size=10,
            texts={
                "tr": {"name": "Kahve kartı", "reward": "Bir kahve bizden"},
                "id": {"name": "Kartu kopi", "reward": "Satu kopi dari kami"},
            },
        ),
        by="demo",
        now=began,
    )
    for name, stamped in ((members.AYSE, (3, 2, 2)), (members.SITI, (6, 5))):
        for number, count in enumerate(stamped):
            _give(session, shift, cards[name], card, count, began + timedelta(days=3 * number + 1))


def _give(session: Session, shift: Shift, card: Card, stamp_card: StampCard, count: int, at: datetime) -> None:
    stamping.stamp(session, card, stamp_card, count, by=shift.cashier, now=at, store=shift.store)


def _come_near_to_gold(session: Session, town: Town, shift: Shift, card: Card) -> None:
    """One purchase that leaves a member a few coffees below the next tier."""
    gold = next(tier for tier in town.programme.tiers if tier.name == "Gold")
    short_minor = gold.threshold_minor - held.by_id(session, card.id).qualifying_minor - TO_GOLD_MINOR
    if short_minor > 0:
        at = town.now - timedelta(minutes=58)
        sale = Sale(amount_minor=short_minor, currency="TRY", receipt="K-1001", store=shift.store)
        sales.earn(session, card, sale, by=shift.cashier, now=at)


def _return_a_line(session: Session, town: Town, shift: Shift, card: Card) -> None:
    """Of a purchase of three things one comes back."""
    lines = members.lines_of("latte", "carrot-cake", "beans-250")
    at = town.now - timedelta(minutes=40)
    sold = sales.earn(session, card, members.sale_of(lines, "K-1002", shift.store), by=shift.cashier, now=at)
    returns.reverse(
        session, sold.entry.id, reason="the cake was for somebody else", by=shift.cashier,
        now=at + timedelta(minutes=4), store=shift.store, returned=Returned(pieces={2: 1}),
    )  # fmt: skip


def _reward(
    session: Session, town: Town, shift: Shift, cards: Mapping[str, Card], rewards: Mapping[str, Reward]
) -> None:
    """One member saves for something, and something is kept ready for another."""
    saver = held.by_id(session, cards[members.MEHMET].id)
    visiting.choose_goal(session, saver, rewards[shop.GOAL], by=shift.cashier, now=town.now)
    rewarding.hold_reward(
        session, cards[members.GRACE], rewards[shop.HELD], by=shift.cashier, now=town.now, store=shift.store,
        life=LONGEST_LIFE,
    )  # fmt: skip


def _sell_a_gift_card(session: Session, town: Town, shift: Shift) -> None:
    card = stock.issue(session, town.programme, "gift", source="demo", now=town.now - timedelta(minutes=30))
    at = town.now - timedelta(minutes=29)
    loaded = NewLoad(amount_minor=50_000, currency="TRY", reference="RCPT-78")
    paying.load(session, card, loaded, by=shift.cashier, now=at, store=shift.store)
    paid = Payment(amount_minor=12_500, currency="TRY")
    later = at + timedelta(minutes=20)
    paying.pay(session, card, paid, by=shift.cashier, now=later, store=shift.store, receipt="K-1003")


def _use_a_bearer_card(session: Session, town: Town, shift: Shift) -> None:
    """A card without a name, lent from hand to hand: six purchases in an hour, which the manager is told of."""
    first = town.now - timedelta(minutes=55)
    card = stock.issue(session, town.programme, "bearer", source="demo", now=first)
    for number in range(6):
        sale = members.sale_of(members.lines_of("latte", "carrot-cake"), f"K-11{number:02d}", shift.store)
        sales.earn(session, card, sale, by=shift.cashier, now=first + number * timedelta(minutes=10))


def _be_noticed(session: Session, town: Town, shift: Shift, cards: Mapping[str, Card]) -> None:
    """The cashier tries an own card, which is refused; and a correction waits for a second person."""
    own = cards[members.IPEK]
    fraud.link_card(session, own.id, shift.cashier.name, by="demo", now=town.now)
    try:
        sale = members.sale_of(members.lines_of("latte"), "K-1004", shift.store)
        sales.earn(session, own, sale, by=shift.cashier, now=town.now - timedelta(minutes=2))
    except Forbidden:
        pass  # that is what the manager is told of
    wish = Wish(unit=POINTS, units=250, reason="Promised after the closed weekend")
    asks = Person(by=shift.support, role="support")
    adjusting.ask(session, cards[members.AYSE], wish, asks, now=town.now)


def _make_codes(session: Session, town: Town) -> None:
    wanted = BatchDraft(name="Opening week", gives="reward", subject=town.treat.public_id, size=CODES)
    batch = batches.ask(session, town.programme, wanted, by="demo", now=town.now)
    batches.make_chunk(session, batch.id)
