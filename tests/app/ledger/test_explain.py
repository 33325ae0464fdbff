"""Why a balance is what it is."""

import random
from collections import defaultdict
from datetime import timedelta
from itertools import count, pairwise

import pytest
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from app.ledger import explain, words
from app.ledger.explain import Movement, Standing
from app.ledger.models import Account, Entry
from app.ledger.reversals import OnDeficit, Returned
from app.world import World
from tests.app.ledger.histories import History
from tests.app.ledger.shelf import Shelf

DAY = timedelta(days=1)
POSTINGS = text(
    "SELECT e.id, a.unit, a.role, p.amount FROM entry e JOIN posting p ON p.entry_id = e.id "
    "JOIN account a ON a.id = p.account_id WHERE e.card_id = :card AND a.member_id IS NOT NULL ORDER BY e.seq, p.id"
)


@pytest.fixture
def shelf(world: World) -> Shelf:
    return Shelf(world)


def movements(session: Session, card_id: int, *, unit: str | None = None, limit: int = 7) -> list[Movement]:
    """The whole history, page by page, the oldest first."""
    found: list[Movement] = []
    before = None
    while True:
        page = explain.page(session, card_id, unit=unit, before=before, limit=limit)
        found += page.movements
        before = page.before
        if before is None:
            return found[::-1]


def told(shelf: Shelf, language: str = "en") -> list[tuple[str, dict[str, str]]]:
    with shelf.world.database.reading() as session:
        found = movements(session, shelf.card.id)
        return [(words.kind(one.entry, language), dict(words.facts(one, language, "Europe/Istanbul"))) for one in found]


@pytest.mark.parametrize("seed", range(3))
def test_every_line_of_a_random_history_shows_what_the_postings_sum_to(any_world: World, seed: int) -> None:
    steps = count(1)
    by_hand: defaultdict[str, dict[str, int]] = defaultdict(dict)
    session = Session(any_world.database.engine, expire_on_commit=False, info=dict(any_world.database.info))
    try:
        history = History(session, random.Random(seed), lambda: next(steps))
        for _ in range(60):
            history.step()
        card = history.cards[0]

        found = movements(session, card.id)

        expected = {}
        for entry_id, unit, role, amount in session.execute(POSTINGS, {"card": card.id}):
            by_hand[unit][role] = by_hand[unit].get(role, 0) + amount
            expected[entry_id] = Standing.of(by_hand[unit])
        moved = [one for one in found if one.entry.id in expected]
        assert len(moved) == len(expected) > 10
        assert [one.balance for one in moved] == list(expected.values())
        assert [one.entry.seq for one in found] == list(range(1, len(found) + 1))
        for unit in explain.units(session, card.id):
            alone = movements(session, card.id, unit=unit)
            assert alone == [one for one in found if one.unit == unit]
            for older, newer in pairwise(alone):
                assert newer.balance.available == older.balance.available + newer.change
            query = select(Account.role, Account.balance).where(
                Account.member_id == card.member_id, Account.unit == unit
            )
            kept = {row.role: row.balance or 0 for row in session.execute(query)}
            assert Standing.of(kept) == (alone[-1].balance if alone else Standing())
        some = [one.entry for one in found[::3]]
        assert explain.of_entries(session, card.id, some) == found[::3][::-1]
    finally:
        session.rollback()
        session.close()


def test_each_unit_is_told_apart_and_what_moved_nothing_stands_among_the_points(shelf: Shelf) -> None:
    shelf.earn(10)
    shelf.credit(2_500, unit="TRY", kind="load", source="funding")
    shelf.earn(0)
    shelf.spend(4)

    with shelf.world.database.reading() as session:
        assert explain.units(session, shelf.card.id) == ["points", "TRY"]
        points = movements(session, shelf.card.id, unit="points", limit=2)
        stored = movements(session, shelf.card.id, unit="TRY")
        whole = movements(session, shelf.card.id)
    assert [(one.change, one.balance.available) for one in points] == [(10, 10), (0, 10), (-4, 6)]
    assert [(one.change, one.balance.available) for one in stored] == [(2_500, 2_500)]
    assert [one.balance.available for one in whole] == [10, 2_500, 10, 6]
    assert words.signed(stored[0].change, "TRY", "en") == "+TRY\u00a025.00"


def test_a_sale_says_why_by_which_rules_and_what_became_of_it(shelf: Shelf) -> None:
    lines = [(1, "latte", "coffee", 2, 8_000, 8), (2, "", "cake", 1, 5_000, 5)]
    sale = shelf.earn(13, lines=lines, expires_at=shelf.now + 30 * DAY, rule_version_id=1)
    shelf.reverse(sale, Returned(pieces={1: 1}))
    shelf.reverse(sale)

    sold, back, rest = told(shelf)

    assert sold[0] == "Purchase"
    assert sold[1] == {
        "latte × 2": "+8", "cake": "+5", "Can be used until": "20 Dec 2026", "Undone since": "all of it",
        "Rules": "version 1", "Balance after it": "13",
    }  # fmt: skip
    assert (back[0], back[1]["Balance after it"]) == ("Taken back", "9")
    assert (rest[0], rest[1]["Balance after it"]) == ("Taken back", "0")


def test_a_debt_a_wait_a_hold_and_an_expiry_are_told(shelf: Shelf) -> None:
    sale = shelf.earn(50, expires_at=shelf.now + 10 * DAY)
    shelf.spend(40)
    shelf.reverse(sale, on_deficit=OnDeficit.ALLOW_DEBT)
    shelf.earn(60, expires_at=shelf.now + 10 * DAY)
    shelf.earn(5, pending_until=shelf.now + 2 * DAY)
    hold = shelf.hold(12)
    shelf.capture(hold, 10)
    shelf.now += 11 * DAY
    shelf.expire()

    found = told(shelf)

    names = [name for name, _ in found]
    assert names == [
        "Purchase", "Points used", "Taken back", "Purchase", "Purchase", "Set aside", "Used from what was set aside",
        "No longer set aside", "Expired",
    ]  # fmt: skip
    facts = [fact for _, fact in found]
    assert facts[2]["Owed then"] == "40"
    assert (facts[3]["Of it, for what was owed"], facts[3]["Balance after it"]) == ("40", "20")
    assert (facts[4]["Can be used from"], facts[4]["Waiting then"], facts[4]["Balance after it"]) == (
        "22 Nov 2026",
        "5",
        "20",
    )
    assert (facts[5]["Set aside then"], facts[5]["Balance after it"]) == ("12", "8")
    assert facts[5]["Taken from what ends on"] == "30 Nov 2026"
    assert "Set aside then" not in facts[7]
    assert (facts[8]["Earned on"], facts[8]["Balance after it"]) == ("20 Nov 2026", "0")


def test_a_card_without_movements_has_an_empty_page(shelf: Shelf) -> None:
    with shelf.world.database.reading() as session:
        assert explain.page(session, shelf.card.id) == explain.Page(movements=(), before=None)
        assert explain.units(session, shelf.card.id) == ["points"]


@pytest.mark.parametrize(
    ("unit", "kind", "title"),
    [
        ("stamp:stc_1", "earn", "Stamped"),
        ("stamp:stc_1", "spend", "Card full"),
        ("voucher:stc_1", "earn", "Card full"),
        ("voucher:stc_1", "spend", "Reward used"),
        ("points", "earn", "Purchase"),
        ("points", "spend", "Points used"),
    ],
)
def test_stamps_are_no_purchase(unit: str, kind: str, title: str) -> None:
    assert words.kind(Entry(unit=unit, kind=kind, note="", points=1), "en") == title
