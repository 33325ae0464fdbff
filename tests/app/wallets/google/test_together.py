"""Many cards in one call, one writer for each object, and nothing written that nobody would see."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select, update

from app.delivery import sample
from app.delivery.engine import Engine
from app.delivery.models import Tally
from app.errors import Busy
from app.outbox.models import Sender
from app.outbox.rules import FOREVER_MS, Lane
from app.sandbox.google.faults import Fault
from app.wallets.google import events
from app.wallets.google.add import save_url
from app.wallets.google.class_push import GoogleClassChannel
from app.wallets.google.models import GoogleObject
from app.wallets.google.push import GoogleChannel
from passes.google.callback import CallbackEvent, EventType
from tests.app.wallets.google.conftest import Stage
from tests.app.wallets.google.test_push import balance, give, up_to_date

CARDS = 6


@pytest.fixture
def together(stage: Stage) -> Iterator[Stage]:
    """An operator who says that Google counts a batch as one call."""
    world = replace(stage.world, settings=replace(stage.world.settings, google_batch_weight="one"))
    objects = GoogleChannel(world)
    stage.engine = Engine(world=world, channels={"google": objects, "google_class": GoogleClassChannel(objects)})
    stage.google.batch_weight = "one"
    return stage


def saved_cards(stage: Stage, count: int = CARDS) -> list[int]:
    return [stage.saved_card(f"Member {number}") for number in range(count)]


def bulk(stage: Stage, cards: list[int], points: int) -> None:
    for card_id in cards:
        give(stage, card_id, points, lane=Lane.BULK)
    hold(stage)


def hold(stage: Stage) -> None:
    """Somebody holds every card."""
    with stage.world.database.unit_of_work() as session:
        session.execute(update(GoogleObject).values(holders=1, has_users=True, saved_at=stage.clock()))


def test_bulk_changes_of_many_cards_are_one_call(together: Stage) -> None:
    cards = saved_cards(together)
    bulk(together, cards, 30)

    together.deliver()

    assert together.operations.count("batch") == 1
    assert together.operations.count("loyaltyObject.patch") == CARDS
    assert [balance(together, one) for one in cards] == [30] * CARDS
    assert all(up_to_date(together, one) for one in cards)


def next_free_ms(stage: Stage) -> float:
    with stage.world.database.reading() as session:
        return session.scalars(select(Sender.next_free)).one() / 1000


def test_a_batch_costs_one_call_of_the_budget_until_google_says_too_fast(together: Stage) -> None:
    slow = replace(together.world, settings=replace(together.world.settings, google_rate=1, google_batch_weight="one"))
    cards = saved_cards(together)
    objects = GoogleChannel(slow)
    together.engine = Engine(world=slow, channels={"google": objects})
    bulk(together, cards, 30)
    together.clock.advance(seconds=60)

    together.engine.drain("google", Lane.BULK)

    now_ms = together.clock().timestamp() * 1000
    assert [balance(together, one) for one in cards] == [30] * CARDS
    assert next_free_ms(together) < now_ms + 2_000, "six cards took the time of one call"
    with together.world.database.unit_of_work() as session:
        session.execute(update(Sender).values(slowed_at=int(now_ms) - 120_000))
    bulk(together, cards, 31)
    together.clock.advance(seconds=60)
    together.engine.drain("google", Lane.BULK)
    assert sum(balance(together, one) == 31 for one in cards) == 1, "each card is a call again"


def test_a_change_at_a_till_goes_alone(together: Stage) -> None:
    cards = saved_cards(together, 2)
    for card_id in cards:
        give(together, card_id, 5)

    together.deliver()

    assert "batch" not in together.operations
    assert all(up_to_date(together, one) for one in cards)


def test_unless_the_operator_says_so_calls_go_one_by_one(stage: Stage) -> None:
    cards = saved_cards(stage, 3)
    bulk(stage, cards, 5)

    stage.deliver()

    assert "batch" not in stage.operations
    assert all(up_to_date(stage, one) for one in cards)


def test_each_part_of_a_batch_has_an_answer_of_its_own(together: Stage) -> None:
    cards = saved_cards(together, 4)
    missing, refused, silent = (together.object_row(one).object_id for one in cards[:3])
    together.google.script(
        Fault(
            operation="loyaltyObject.patch",
            resource_id=missing,
            status=404,
            reason="notFound",
            message=f"Wallet Object {missing} not found.",
        ),
        Fault(operation="loyaltyObject.patch", resource_id=refused, status=503),
        Fault(operation="loyaltyObject.patch", resource_id=silent, drop=True),
    )
    bulk(together, cards, 12)

    together.deliver(rounds=2)

    assert balance(together, cards[0]) == 12, "an object that was missing is made"
    assert [up_to_date(together, one) for one in cards] == [True, False, False, True]
    together.clock.advance(minutes=5)
    together.deliver()
    assert [balance(together, one) for one in cards] == [12] * 4


@pytest.mark.parametrize(
    "fault",
    [
        Fault(operation="batch", status=503),
        Fault(operation="batch", drop=True),
        Fault(operation="batch", drop=True, apply=True),
        Fault(operation="batch", status=429, reason="rateLimitExceeded", retry_after_s=2),
    ],
    ids=["unwell", "cut", "answer lost", "too fast"],
)
def test_a_batch_that_fails_whole_is_tried_again(together: Stage, fault: Fault) -> None:
    cards = saved_cards(together)
    together.google.script(fault)
    bulk(together, cards, 44)

    together.deliver()
    together.clock.advance(minutes=3)
    together.deliver(rounds=6)

    assert [balance(together, one) for one in cards] == [44] * CARDS
    assert all(up_to_date(together, one) for one in cards)


def test_where_there_is_no_batch_endpoint_cards_are_told_one_by_one(together: Stage) -> None:
    cards = saved_cards(together, 3)
    together.google.script(Fault(operation="batch", status=404, times=None))
    bulk(together, cards, 7)

    together.deliver()

    assert [balance(together, one) for one in cards] == [7] * 3


def test_an_expired_token_is_renewed_once_for_the_whole_batch(together: Stage) -> None:
    cards = saved_cards(together, 3)
    together.google.account.revoke_tokens()
    bulk(together, cards, 9)

    together.deliver(rounds=2)

    assert [balance(together, one) for one in cards] == [9] * 3


def test_the_page_never_writes_an_object_that_is_there(stage: Stage) -> None:
    """Two clicks at once: the second finds the object made, and leaves it to delivery, which holds its lease."""
    card_id = stage.saved_card()
    with stage.world.database.unit_of_work() as session:
        session.execute(update(GoogleObject).values(sent=None))
    stage.forget()

    save_url(stage.world, card_id)

    assert stage.operations == ["loyaltyObject.insert"]
    assert stage.target(card_id).done == stage.target(card_id).want, "what was done before is not undone"


def test_a_page_that_came_second_owes_the_object_everything(stage: Stage) -> None:
    card_id = stage.card()
    save_url(stage.world, card_id)
    with stage.world.database.unit_of_work() as session:
        row = session.scalars(select(GoogleObject)).one()
        row.sent = None
        session.delete(session.merge(stage.target(card_id)))
    stage.forget()

    save_url(stage.world, card_id)
    stage.deliver()

    assert "loyaltyObject.patch" in stage.operations
    assert up_to_date(stage, card_id)
    assert stage.object_row(card_id).sent is not None


def test_a_rate_answer_to_the_page_slows_delivery_as_well(stage: Stage) -> None:
    stage.google.script(Fault(operation="loyaltyClass.insert", status=429, reason="rateLimitExceeded", retry_after_s=9))

    with pytest.raises(Busy):
        save_url(stage.world, stage.card())

    with stage.world.database.reading() as session:
        assert session.scalars(select(Sender.slowed_at)).one() > 0


def test_a_refused_account_stops_the_sender_at_the_page(stage: Stage) -> None:
    stage.google.invited = False

    with pytest.raises(Busy):
        save_url(stage.world, stage.card())

    with stage.world.database.reading() as session:
        sender = session.scalars(select(Sender)).one()
    assert sender.breaker_until == FOREVER_MS
    assert "invite" in sender.breaker_reason


def removed(stage: Stage, card_id: int, kind: EventType, nonce: str) -> None:
    event = CallbackEvent(
        event=kind, nonce=nonce, expires_at=stage.clock() + timedelta(hours=1),
        object_id=stage.object_row(card_id).object_id, class_id="", count=1,
    )  # fmt: skip
    stage.world.database.transact(lambda session: events.apply(session, event, now=stage.clock()))


def test_a_bulk_change_is_not_written_to_a_card_that_nobody_holds(stage: Stage) -> None:
    card_id = stage.saved_card()
    removed(stage, card_id, EventType.SAVE, "n1")
    removed(stage, card_id, EventType.DELETE, "n2")
    stage.deliver()
    stage.forget()

    give(stage, card_id, 80, lane=Lane.BULK)
    stage.deliver()

    assert stage.operations == []
    removed(stage, card_id, EventType.SAVE, "n3")
    stage.deliver()
    assert balance(stage, card_id) == 80


def test_a_change_at_a_till_is_written_even_if_google_says_that_nobody_holds_the_card(stage: Stage) -> None:
    card_id = stage.saved_card()
    stage.clock.advance(days=2)

    give(stage, card_id, 15)
    stage.deliver()

    assert balance(stage, card_id) == 15


def tallied(stage: Stage, verdict: str) -> int:
    with stage.world.database.reading() as session:
        return session.scalar(select(Tally.value).where(Tally.name == "drift", Tally.detail == verdict)) or 0


def test_a_daily_sample_finds_what_google_no_longer_holds_and_writes_it_again(stage: Stage) -> None:
    card_id = stage.saved_card()
    give(stage, card_id, 20)
    stage.deliver()
    of = stage.object_row(card_id).object_id
    stage.google.wallet.patch("loyaltyObject", of, {"loyaltyPoints": {"balance": {"int": 999}, "label": "Points"}})

    assert sample.look_at_one(stage.world)
    assert not sample.look_at_one(stage.world), "the day's sample of a small installation is one card"
    stage.deliver()

    assert tallied(stage, "differs") == 1
    assert balance(stage, card_id) == 20
    stage.clock.advance(days=1, seconds=1)
    assert sample.look_at_one(stage.world)
    assert tallied(stage, "same") == 1


def test_the_sample_goes_round_and_waits_while_the_budget_is_needed(stage: Stage) -> None:
    first, second = saved_cards(stage, 2)
    with stage.world.database.unit_of_work() as session:
        session.execute(update(Sender).values(next_free=2**55))
    assert not sample.look_at_one(stage.world)
    with stage.world.database.unit_of_work() as session:
        session.execute(update(Sender).values(next_free=0))

    assert sample.look_at_one(stage.world)
    stage.clock.advance(days=1, seconds=1)
    assert sample.look_at_one(stage.world)

    assert None not in {stage.object_row(first).looked_at, stage.object_row(second).looked_at}
