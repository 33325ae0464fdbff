"""Members who did different things, and which questions they fit; on both databases."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from app.cards import birthdays, holding
from app.cards import service as cards
from app.cards.models import Card, Member, Programme
from app.clubs.models import Club, ClubMembership
from app.counter import moves
from app.earning.sale import Line
from app.habits.models import Habit
from app.ledger import held
from app.ledger import service as ledger
from app.segments import rules, service
from app.world import World
from tests.app.habits.trade import TILL, Trade
from tests.conftest import MovableClock


@dataclass(frozen=True, kw_only=True)
class Town:
    """Ada buys often, Bora stayed away, Cem never bought."""

    trade: Trade
    ada: int
    bora: int
    cem: int

    def names(self, rule: dict[str, Any]) -> str:
        """Who fits: "abc" is everybody. Each is asked live as well, and told why."""
        world, found = self.trade.world, ""
        with world.database.reading() as session:
            programme = session.get_one(Programme, self.trade.programme.id)
            read = service.read(session, programme, rule)
            count = service.count(session, programme.id, read, now=world.clock()).cards
            for name, card_id in (("a", self.ada), ("b", self.bora), ("c", self.cem)):
                card = session.get_one(Card, card_id)
                if service.why(session, read, card, now=world.clock(), language="tr").holds:
                    found += name
        assert count == len(found), (rule, count, found)
        return found


@pytest.fixture
def town(any_world: World, clock: MovableClock) -> Town:
    """On 1 March 2027 in Istanbul."""
    trade = Trade(any_world, clock)
    trade.clock.at = trade.clock.at.replace(year=2026, month=11, day=21)
    ada = trade.card(name="Ada", language="tr", birthday="03-05", attributes={"city": "Ankara", "age": 40, "vip": True})
    bora = trade.card(name="Bora", language="id", consent=True, attributes={"age": 1.5, "vip": False, "city": None})
    for number in range(4):
        trade.buys(bora, 20_000, store=1, lines=(Line(number=1, amount_minor=20_000, product="tea", category="drinks",
                                                      quantity=1),))  # fmt: skip
        trade.days_later(3)
        del number
    trade.days_later(58)
    for _week in range(4):
        trade.buys(ada, 30_000, store=0, lines=(Line(number=1, amount_minor=30_000, product="soap", category="home",
                                                     quantity=1),))  # fmt: skip
        trade.days_later(7)
    cem = trade.card(name="Cem", language="en")
    trade.clock.at = trade.clock.at.replace(year=2027, month=3, day=1)
    trade.follow()
    trade.night()
    return Town(trade=trade, ada=ada, bora=bora, cem=cem)


def test_what_members_bought_and_when(town: Town) -> None:
    for rule, who in (
        ({"fact": "visits", "op": "at_least", "value": 4}, "ab"),
        ({"fact": "visits", "op": "at_least", "value": 1, "days": 60}, "a"),
        ({"fact": "visits", "op": "at_most", "value": 0, "days": 60}, "bc"),
        ({"fact": "visits", "op": "is", "value": 0}, "c"),
        ({"fact": "spend", "op": "at_least", "value": "1200.00"}, "a"),
        ({"fact": "spend", "op": "is", "value": "800"}, "b"),
        ({"fact": "last_visit", "op": "at_least", "value": 30}, "b"),
        ({"fact": "last_visit", "op": "at_most", "value": 30}, "a"),
        ({"not": {"fact": "last_visit", "op": "at_most", "value": 30}}, "bc"),
        ({"fact": "active"}, "a"),
        ({"fact": "lapsed"}, "b"),
        ({"fact": "lapsed", "op": "no"}, "ac"),
        ({"fact": "monetary", "op": "is", "value": 5}, "a"),
        ({"fact": "monetary", "op": "at_most", "value": 4}, "b"),
        ({"fact": "favourite_product", "value": ["soap", "salt"]}, "a"),
        ({"fact": "bought_category", "value": "drinks"}, "b"),
        ({"fact": "bought_category", "value": "drinks", "days": 30}, ""),
        ({"fact": "bought_product", "op": "no", "value": "soap", "days": 60}, "bc"),
    ):
        assert town.names(rule) == who, rule


def test_who_members_are_and_what_they_said(town: Town) -> None:
    for rule, who in (
        ({"fact": "language", "value": ["tr", "en"]}, "ac"),
        ({"fact": "joined", "op": "before", "value": "2027-01-01"}, "ab"),
        ({"fact": "member_for", "op": "at_most", "value": 90}, "c"),
        ({"fact": "source", "value": "test"}, "abc"),
        ({"fact": "attribute", "name": "city", "value": "Ankara"}, "a"),
        ({"fact": "attribute", "name": "city", "op": "is_not", "value": "Ankara"}, "bc"),
        ({"fact": "attribute", "name": "age", "value": "40"}, "a"),
        ({"fact": "attribute", "name": "age", "value": ["1.5", "1"]}, "b"),
        ({"fact": "attribute", "name": "vip", "value": "true"}, "a"),
        ({"fact": "attribute", "name": "vip", "value": ["false", "0"]}, "b"),
        ({"fact": "attribute", "name": "vip", "value": "1"}, ""),
        ({"fact": "attribute", "name": "vip", "op": "is_not", "value": "true"}, "bc"),
        ({"fact": "consent", "value": "marketing.wallet"}, "b"),
        ({"fact": "consent", "op": "no", "value": "marketing.email"}, "abc"),
        ({"fact": "birthday", "days": 7}, "a"),
        ({"fact": "birthday", "days": 2}, ""),
        ({"fact": "tier", "value": "none"}, "abc"),
        ({"fact": "favourite_store", "value": town.trade.stores[0].public_id}, "a"),
        ({"fact": "store_used", "value": town.trade.stores[1].public_id}, "b"),
        ({"fact": "store_used", "op": "no", "value": town.trade.stores[1].public_id, "days": 30}, "abc"),
        ({"fact": "balance", "op": "at_least", "value": 100}, "a"),
    ):
        assert town.names(rule) == who, rule


def test_an_attribute_is_shown_as_it_was_given(town: Town) -> None:
    world = town.trade.world
    with world.database.reading() as session:
        programme = session.get_one(Programme, town.trade.programme.id)
        for name, card_id, own in (
            ("vip", town.ada, "true"),
            ("vip", town.bora, "false"),
            ("age", town.ada, "40"),
            ("age", town.bora, "1.5"),
            ("city", town.ada, "Ankara"),
        ):
            read = service.read(session, programme, {"fact": "attribute", "name": name, "value": own})
            told = service.why(session, read, session.get_one(Card, card_id), now=world.clock(), language="en")
            assert (told.holds, told.own) == (True, own)


def test_the_newest_answer_about_a_channel_decides(town: Town) -> None:
    asked = {"fact": "consent", "value": "marketing.email"}
    for granted, who in ((True, "c"), (False, ""), (True, "c")):
        with town.trade.world.database.unit_of_work() as session:
            member = session.get_one(Card, town.cem).member
            cards.set_consent(session, member, granted=granted, source="test", now=town.trade.clock(), channel="email")
        assert town.names(asked) == who


def test_wallets_regions_clubs_and_points_that_expire(town: Town) -> None:
    world, now = town.trade.world, town.trade.clock()
    with world.database.unit_of_work() as session:
        holding.installed(session, town.ada, wallet="apple", now=now)
        holding.installed(session, town.ada, wallet="google", now=now)
        holding.installed(session, town.bora, wallet="google", now=now)
        for store, region in zip(town.trade.stores, ("Marmara", "Ege"), strict=True):
            session.merge(store).region = region
        cem = session.get_one(Card, town.cem).member_id
        session.execute(update(Member).where(Member.id == cem).values(home_store_id=town.trade.stores[1].id))
        club = Club(
            public_id="clb_1", programme_id=town.trade.programme.id, slug="wine", name="Wine", benefits="",
            created_by="x", created_at=now,
        )  # fmt: skip
        session.add(club)
        session.flush()
        ends = {town.ada: now + timedelta(days=9), town.bora: now}
        for card, ends_at in ends.items():
            member = session.get_one(Card, card).member_id
            starts_at = now - timedelta(days=9)
            session.add(ClubMembership(club_id=club.id, member_id=member, starts_at=starts_at, ends_at=ends_at))
        card = held.by_id(session, town.bora)
        told = moves.circumstance(card, TILL, now)
        booked = ledger.credit(session, card, 5, by=told, expires_at=now + timedelta(days=10))
        moves.done(session, booked.card, booked, now)

    for rule, who in (
        ({"fact": "wallet", "value": "apple"}, "a"),
        ({"fact": "wallet", "value": ["google"]}, "ab"),
        ({"fact": "wallet", "value": "none"}, "c"),
        ({"fact": "wallet", "op": "is_not", "value": "any"}, "c"),
        ({"fact": "region", "value": "Ege"}, "c"),
        ({"fact": "region", "op": "is_not", "value": "Ege"}, "ab"),
        ({"fact": "home_store", "value": town.trade.stores[1].public_id}, "c"),
        ({"fact": "club", "value": "wine"}, "a"),
        ({"fact": "points_expiring", "op": "at_least", "value": 1, "days": 10}, "b"),
        ({"fact": "points_expiring", "op": "at_least", "value": 1, "days": 9}, ""),
    ):
        assert town.names(rule) == who, rule


def test_a_long_usual_gap_is_no_trouble(town: Town) -> None:
    with town.trade.world.database.unit_of_work() as session:
        session.execute(update(Habit).where(Habit.card_id == town.bora).values(median_gap_days=400))

    assert town.names({"fact": "lapsed"}) == ""


def test_void_erased_and_nobodys_cards_are_in_no_audience(town: Town) -> None:
    with town.trade.world.database.unit_of_work() as session:
        session.get_one(Card, town.ada).status = "voided"
        session.get_one(Card, town.bora).kind = "bearer"

    with town.trade.world.database.reading() as session:
        found = service.count(session, town.trade.programme.id, rules.EVERYBODY, now=town.trade.clock())
        card = session.get_one(Card, town.ada)
        because = service.why(session, rules.EVERYBODY, card, now=town.trade.clock(), language="en")
    assert found.cards == 1
    assert (because.holds, because.parts[0].sentence) == (False, "A valid card of a person")


def test_digests_of_birthdays_find_nobody_by_their_plain_day(town: Town) -> None:
    with town.trade.world.database.reading() as session:
        kept = session.scalars(select(Member.birthday_index).where(Member.birthday_index != birthdays.NONE_KNOWN)).all()

    assert kept
    assert not any("03-05" in (one or "") for one in kept)
