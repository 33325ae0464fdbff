"""The ledger on both databases: exact, append-only, and refused by the database itself when it is not."""

from datetime import timedelta

import pytest
from sqlalchemy import delete, select, text, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from app import ids
from app.cards.models import Card
from app.counter import moves, returns, rewarding, sales
from app.counter.moves import Actor
from app.counter.pricing import Sale
from app.errors import Conflict, Unprocessable
from app.ledger import service as ledger
from app.ledger import verify
from app.ledger.models import Account, Entry, Posting
from app.world import World
from tests import factories
from tests.conftest import MovableClock

TILL = Actor(name="staff:till", channel="till")


def a_card(world: World, **over: object) -> Card:
    with world.database.unit_of_work() as session:
        return factories.card(session, factories.programme(session, **over))


def earn(world: World, card: Card, minor: int, *, receipt: str | None = None) -> moves.Done:
    sale = Sale(amount_minor=minor, currency="TRY", receipt=receipt)
    return world.database.transact(lambda s: sales.earn(s, card, sale, by=TILL, now=world.clock()))


def spend(world: World, card: Card, points: int) -> moves.Done:
    return world.database.transact(lambda s: rewarding.redeem_points(s, card, points, by=TILL, now=world.clock()))


def undo(world: World, done: moves.Done) -> moves.Done:
    return world.database.transact(
        lambda s: returns.reverse(s, done.entry.id, reason="mistake", by=TILL, now=world.clock())
    )


def deficit(world: World, card: Card) -> int:
    with world.database.reading() as session:
        assert verify.differences(session) == []
        return ledger.deficit_of(session, card.member_id)


def test_a_sale_earns_whole_points_rounded_down_once(any_world: World) -> None:
    card = a_card(any_world)

    done = earn(any_world, card, 17_899)

    assert (done.entry.points, done.balance, done.entry.amount_minor) == (17, 17, 17_899)


def test_a_sale_too_small_for_a_point_is_still_written_down(any_world: World) -> None:
    card = a_card(any_world)

    done = earn(any_world, card, 250, receipt="small")

    assert (done.entry.points, done.balance) == (0, 0)
    with pytest.raises(Conflict, match="duplicate_receipt"):
        earn(any_world, card, 250, receipt="small")


def test_a_spend_takes_what_is_there_and_refuses_more(any_world: World) -> None:
    card = a_card(any_world)
    earn(any_world, card, 100_000)

    left = spend(any_world, card, 60).balance

    assert left == 40
    with pytest.raises(Unprocessable, match="insufficient"):
        spend(any_world, card, 60)
    with pytest.raises(Unprocessable, match="invalid_points"):
        spend(any_world, card, 0)


def test_a_refused_spend_leaves_the_card_as_it_was(any_world: World) -> None:
    card = a_card(any_world)
    before = earn(any_world, card, 10_000).card.version

    with pytest.raises(Unprocessable):
        spend(any_world, card, 1_000)

    with any_world.database.reading() as session:
        assert session.get_one(Card, card.id).version == before


def test_points_spent_before_a_return_become_a_deficit_that_later_earnings_fill(any_world: World) -> None:
    card = a_card(any_world, tiers=())
    first = earn(any_world, card, 100_000)
    spend(any_world, card, 70)

    after_return = undo(any_world, first)

    assert (after_return.balance, deficit(any_world, card)) == (0, 70)
    assert (earn(any_world, card, 50_000).balance, deficit(any_world, card)) == (0, 20)
    assert (earn(any_world, card, 50_000).balance, deficit(any_world, card)) == (30, 0)


def test_undoing_a_spend_gives_the_points_back(any_world: World) -> None:
    card = a_card(any_world)
    earn(any_world, card, 100_000)

    given_back = undo(any_world, spend(any_world, card, 70))

    assert (given_back.balance, given_back.entry.points) == (100, 70)


def test_an_entry_is_undone_once(any_world: World) -> None:
    card = a_card(any_world)
    done = earn(any_world, card, 100_000)
    reversal = undo(any_world, done)

    with pytest.raises(Conflict, match="already_reversed"):
        undo(any_world, done)
    with pytest.raises(Conflict, match="not_reversible"):
        undo(any_world, reversal)


def test_a_receipt_earns_once_at_each_store(any_world: World) -> None:
    with any_world.database.unit_of_work() as session:
        programme = factories.programme(session)
        card = factories.card(session, programme)
        stores = [factories.store(session, programme, name) for name in ("Kadıköy", "Beşiktaş")]
    bought = [Sale(amount_minor=10_000, currency="TRY", receipt="R1", store=store) for store in stores]

    for sale in bought:
        any_world.database.transact(lambda s, sale=sale: sales.earn(s, card, sale, by=TILL, now=any_world.clock()))

    with pytest.raises(Conflict, match="duplicate_receipt"):
        any_world.database.transact(lambda s: sales.earn(s, card, bought[0], by=TILL, now=any_world.clock()))
    with any_world.database.reading() as session:
        assert ledger.balance_of(session, card.member_id) == 20


def test_reaching_a_threshold_lifts_the_card_and_the_next_sale_earns_more(any_world: World) -> None:
    card = a_card(any_world)

    just_below = earn(any_world, card, 199_999)
    to_silver = earn(any_world, card, 1)
    to_gold = earn(any_world, card, 400_000)
    as_gold = earn(any_world, card, 10_000)

    assert [one.tier for one in (just_below, to_silver, to_gold)] == [None, "Silver", "Gold"]
    assert (to_gold.entry.points, as_gold.entry.points) == (400, 15)


def test_a_late_sale_keeps_its_time_and_a_wrong_clock_does_not(any_world: World, clock: MovableClock) -> None:
    card = a_card(any_world)
    times = [clock() - timedelta(hours=71), clock() - timedelta(hours=73), clock() + timedelta(minutes=6)]

    entries = [
        any_world.database.transact(
            lambda s, at=at: sales.earn(
                s, card, Sale(amount_minor=1_000, currency="TRY", occurred_at=at), by=TILL, now=clock()
            )
        ).entry
        for at in times
    ]

    assert [entry.occurred_at for entry in entries] == [times[0], clock(), clock()]
    assert [{"code": "time"} in entry.reasons for entry in entries] == [False, True, True]


@pytest.mark.parametrize("table", [Entry, Posting])
def test_the_database_refuses_to_change_or_delete_what_is_written(any_world: World, table: type[Entry]) -> None:
    earn(any_world, a_card(any_world), 10_000)
    column = "note" if table is Entry else "amount"

    for statement in (update(table).values({column: "1" if table is Entry else 1}), delete(table)):
        with pytest.raises(DBAPIError, match="never changed or deleted"), any_world.database.unit_of_work() as session:
            session.execute(statement)


def an_entry(session: Session, card: Card, legs: dict[int, int], unit: str = "points") -> None:
    entry_id = ids.time_ordered("txn", factories.NOW)
    for account, amount in legs.items():
        session.add(Posting(entry_id=entry_id, account_id=account, amount=amount))
    session.flush()
    session.add(
        Entry(
            id=entry_id,
            programme_id=card.programme_id,
            card_id=card.id,
            kind="earn",
            unit=unit,
            points=1,
            actor="x",
            channel="x",
            note="",
            card_version=1,
            seq=2,
            hash="",
            occurred_at=factories.NOW,
            recorded_at=factories.NOW,
        )
    )
    session.flush()


@pytest.mark.parametrize(
    ("legs", "unit"),
    [((5, -4), "points"), ((5,), "points"), ((), "points"), ((5, -5), "uses"), ((0, 0), "points")],
    ids=["unbalanced", "one leg", "no leg", "mixed unit", "zero"],
)
def test_the_database_refuses_entries_that_do_not_balance(any_world: World, legs: tuple[int, ...], unit: str) -> None:
    card = a_card(any_world)
    earn(any_world, card, 10_000)
    with any_world.database.reading() as session:
        accounts = session.scalars(select(Account.id).where(Account.unit == "points").order_by(Account.id)).all()

    refused = "not_zero" if legs == (0, 0) else "at least two postings that sum to zero, in one unit"
    with pytest.raises(DBAPIError, match=refused), any_world.database.unit_of_work() as session:
        an_entry(session, card, dict(zip(accounts, legs, strict=False)), unit)


def test_the_database_refuses_a_negative_balance_whatever_the_code_does(any_world: World) -> None:
    card = a_card(any_world)
    earn(any_world, card, 10_000)

    with pytest.raises(DBAPIError), any_world.database.unit_of_work() as session:
        session.execute(update(Account).where(Account.role == "avail").values(balance=-1))


def test_verification_names_a_balance_that_was_tampered_with(any_world: World) -> None:
    card = a_card(any_world)
    earn(any_world, card, 10_000)
    with any_world.database.unit_of_work() as session:
        session.execute(text("UPDATE account SET balance = 11 WHERE role = 'avail'"))

    with any_world.database.reading() as session:
        found = verify.differences(session)

    assert len(found) == 2
    assert "says 11, its postings sum to 10" in found[0]
    assert "has 11, its lots have 10" in found[1]
