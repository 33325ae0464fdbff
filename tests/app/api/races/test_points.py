"""Points asked for by many tills at once through two server processes, on both databases: none twice, none lost."""

from collections import Counter

import pytest
from sqlalchemy import func, select

from app.cards.models import Card, Programme
from app.earning import budgets
from app.earning import service as earning
from app.ledger.held import POINTS
from app.ledger.models import Account, Entry
from tests import factories
from tests.app.api.races.house import NUMBERS, TIMES, Answer, House

BASE = {"kind": "amount", "name": "Purchases", "points": 1, "per": "10.00"}


def sold(house: House, card: str, **body: object) -> str:
    """The transaction of a sale."""
    transaction: str = house.made(f"/cards/{card}/earn", body)["transaction"]["id"]
    return transaction


def stands(house: House, number: str) -> tuple[int, int]:
    """Points that can be spent, and points owed."""
    with house.world.database.reading() as session:
        query = (
            select(Account.role, Account.balance)
            .join(Card, Card.member_id == Account.member_id)
            .where(Card.number == number, Account.unit == POINTS)
        )
        found = {role: balance for role, balance in session.execute(query)}  # noqa: C416  # rows are no pairs to mypy
    return found.get("avail", 0), -found.get("debt", 0)


def test_a_hundred_spends_of_sixty_from_a_hundred_points_are_one(house: House) -> None:
    for card in house.cards(TIMES, points=100):
        found = house.outcomes(lambda _, card=card: house.post(f"/cards/{card}/redeem", {"points": 60}), 100)

        assert found == {"201": 1, "422 insufficient": 99}
        assert stands(house, card) == (40, 0)


@pytest.mark.parametrize(("times", "sales"), [(TIMES, 50), (1, 200)])
def test_sales_at_once_sum_exactly(house: House, times: int, sales: int) -> None:
    for card in house.cards(times):
        answers = house.at_once(lambda _, card=card: house.post(f"/cards/{card}/earn", {"amount": "10.00"}), sales)

        assert Counter(one.outcome for one in answers) == {"201": sales}
        assert sorted(one.body["balance"] for one in answers) == list(range(1, sales + 1))
        assert stands(house, card) == (sales, 0)


def test_fifty_repeats_of_one_request_have_one_effect(house: House) -> None:
    for card in house.cards(TIMES):
        path, key, body = f"/cards/{card}/earn", f"the same {card}", {"amount": "125.00"}
        answers = house.at_once(lambda _, told=(path, body, key): house.post(*told), 50)

        assert {(one.status, one.text) for one in answers} == {(201, answers[0].text)}
        assert Counter(one.headers.get("Idempotency-Replayed") for one in answers) == {None: 1, "true": 49}
        assert stands(house, card) == (12, 0)


def test_different_requests_with_one_key_have_one_effect(house: House) -> None:
    for card in house.cards(TIMES):
        path, key = f"/cards/{card}/earn", f"one key {card}"
        found = house.outcomes(lambda n, told=(path, key): house.post(told[0], {"amount": f"{n + 1}0.00"}, told[1]), 20)

        assert found == {"201": 1, "422 idempotency_mismatch": 19}
        with house.world.database.reading() as session:
            booked = select(func.count()).join(Card, Card.id == Entry.card_id).where(Card.number == card)
            assert session.scalar(booked.select_from(Entry)) == 1


def test_one_receipt_of_a_store_earns_once_whichever_till_it_comes_from(house: House) -> None:
    with house.world.database.unit_of_work() as session:
        store = factories.store(
            session, session.get_one(Programme, house.programme.id), f"Store {next(NUMBERS)}"
        ).public_id
    for card in house.cards(TIMES):
        sale = {"amount": "10.00", "receipt": f"R-{card}", "store": store}
        found = house.outcomes(lambda _, card=card, sale=sale: house.post(f"/cards/{card}/earn", sale), 20)

        assert found == {"201": 1, "409 duplicate_receipt": 19}
        assert stands(house, card) == (1, 0)


def test_a_receipt_that_was_scanned_with_two_cards_earns_on_one_of_them(house: House) -> None:
    cards = house.cards(2 * TIMES)
    for pair in zip(cards[::2], cards[1::2], strict=True):
        sale = {"amount": "10.00", "receipt": f"R-{pair[0]}"}
        found = house.outcomes(lambda n, pair=pair, sale=sale: house.post(f"/cards/{pair[n % 2]}/earn", sale), 10)

        assert found == {"201": 1, "409 duplicate_receipt": 9}
        assert sorted(stands(house, card) for card in pair) == [(0, 0), (1, 0)]


def test_one_sale_is_refunded_once_by_many(house: House) -> None:
    for card in house.cards(TIMES):
        sale = sold(house, card, amount="100.00")
        ways = (f"/transactions/{sale}/reverse", {"reason": "x"}), (f"/cards/{card}/returns", {"transaction": sale})
        found = house.outcomes(lambda n, ways=ways: house.post(*ways[n % 2]), 20)

        assert found == {"201": 1, "409 already_reversed": 19}
        assert stands(house, card) == (0, 0)


def test_three_pieces_come_back_three_times(house: House) -> None:
    for card in house.cards(TIMES):
        sale = sold(house, card, lines=[{"amount": "100.00", "quantity": 3, "product": "tea"}])
        back = {"transaction": sale, "lines": [{"number": 1, "quantity": 1}]}
        answers = house.at_once(lambda _, card=card, back=back: house.post(f"/cards/{card}/returns", back), 20)

        assert Counter(one.outcome for one in answers) == {"201": 3, "409 already_reversed": 17}
        given = [one.body["transaction"]["points"] for one in answers if one.status == 201]
        assert sorted(given) == [-4, -3, -3]
        assert stands(house, card) == (0, 0)


def test_a_refund_beside_a_spend_takes_the_points_back_or_leaves_them_owed(house: House) -> None:
    for card in house.cards(TIMES):
        sale = sold(house, card, amount="1000.00")
        works = (f"/transactions/{sale}/reverse", {"reason": "x"}), (f"/cards/{card}/redeem", {"points": 100})
        answers = house.at_once(lambda n, works=works: house.post(*works[n % 2]), 10)

        refunds, spends = (Counter(one.outcome for one in answers[way::2]) for way in (0, 1))
        assert refunds == {"201": 1, "409 already_reversed": 4}
        assert spends in ({"422 insufficient": 5}, {"201": 1, "422 insufficient": 4})
        assert stands(house, card) == (0, 100 * spends["201"])


def limited(house: House, *caps: dict[str, object]) -> Programme:
    """A programme of its own with these caps."""
    now = house.world.clock()
    with house.world.database.unit_of_work() as session:
        made = factories.programme(session, slug=f"limited-{next(NUMBERS)}", now=now)
        raw = {"rules": [BASE, *caps]}
        earning.publish(session, made, raw, starts_at=None, note="", by="t", now=now)
        return made


def test_the_last_point_of_a_budget_goes_to_one_of_twenty_cards(house: House) -> None:
    for _ in range(TIMES):
        cap = {"kind": "cap", "name": f"Opening {next(NUMBERS)}", "points": 1, "per": "budget"}
        cards = house.cards(20, programme=limited(house, cap))

        answers = house.at_once(lambda n, cards=cards: house.post(f"/cards/{cards[n]}/earn", {"amount": "10.00"}), 20)

        assert Counter((one.outcome, one.body["balance"]) for one in answers) == {("201", 1): 1, ("201", 0): 19}


def test_a_limit_by_the_hour_lets_exactly_as_many_sales_through_however_many_tills_ask(house: House) -> None:
    for _ in range(TIMES):
        programme = limited(house)
        with house.world.database.unit_of_work() as session:
            session.get_one(Programme, programme.id).limits = {"person_per_hour": 3}
        cards = house.cards(10, programme=programme)

        found = house.outcomes(lambda n, cards=cards: house.post(f"/cards/{cards[n]}/earn", {"amount": "10.00"}), 10)

        assert found == {"201": 3, "409 limit_reached": 7}


def test_sales_and_refunds_leave_two_budgets_with_what_is_still_given(house: House) -> None:
    """Two budgets at once: each is taken and given back by tills that hold different cards."""
    names = [f"{letter} {next(NUMBERS)}" for letter in "BA"]
    caps = [{"kind": "cap", "name": name, "points": points, "per": "budget"} for name, points in zip(names, (30, 5),
            strict=True)]  # fmt: skip
    programme = limited(house, *caps)
    for _ in range(TIMES):
        cards = house.cards(6, programme=programme)

        def one(n: int, cards: list[str] = cards) -> Answer:
            sale = house.post(f"/cards/{cards[n]}/earn", {"amount": "10.00"})
            sale_id = sale.body["transaction"]["id"]
            return house.post(f"/transactions/{sale_id}/reverse", {"reason": "x"})

        assert house.outcomes(one, 6) == {"201": 6}
        with house.world.database.reading() as session:
            assert budgets.used(session, programme.id, names) == dict.fromkeys(names, 0)
