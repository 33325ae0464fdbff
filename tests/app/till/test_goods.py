"""What the rooms behind the till offer: codes, baskets, goods to hand over, goals, dates, money and discounts."""

import re
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event, select

from app.cards import codes as card_codes
from app.cards.models import Card, Programme
from app.counter import paying
from app.counter.moves import Actor
from app.coupons import batches, exchange, making
from app.coupons.batches import BatchDraft
from app.coupons.models import Batch
from app.earning import service as earning
from app.ledger import service as ledger
from app.rewards import catalogue, slots
from app.rewards.catalogue import RewardDraft
from app.rewards.models import Reward, Slot, Taking
from app.value import stock
from app.value.service import NewLoad
from tests.app.till.conftest import Shop, Till

BY = Actor(name="key:pos", channel="api")


def codes_of(shop: Shop, size: int = 1, **over: Any) -> list[str]:
    """Fresh codes for 20 points each, unless it is said otherwise."""
    now = shop.world.clock()
    draft = BatchDraft(**{"name": "Spring", "gives": "points", "points": 20, "size": size, **over})
    with shop.world.database.unit_of_work() as session:
        made = batches.ask(session, session.get_one(Programme, shop.programme.id), draft, by="cli", now=now)
    making.make_codes(shop.world)
    with shop.world.database.reading() as session:
        batch = session.get_one(Batch, made.id)
        return [code for _, code in exchange.page(session, batch, after=-1, limit=size)]


def add(shop: Shop, **draft: Any) -> Reward:
    with shop.world.database.unit_of_work() as session:
        programme = session.get_one(Programme, shop.programme.id)
        return catalogue.add(session, programme, RewardDraft(**draft), now=shop.world.clock())


def opened(till: Till, shop: Shop) -> str:
    return till.client.get(f"/till/cards/{shop.card.serial}").text


def use(till: Till, shop: Shop, code: str, **more: str) -> Any:
    return till.send(f"/till/cards/{shop.card.serial}/code", **{"key": till.key(), "code": code, **more})


def test_a_code_that_is_scanned_while_a_card_is_open_is_used_for_it(till: Till, shop: Shop) -> None:
    (code,) = codes_of(shop)

    done = till.done(till.send("/till/scan", code=code, card=shop.card.serial, key="scan-1"))

    assert shop.balance() == 120
    assert "+20 <span>points</span>" in done


def test_a_scan_that_is_sent_again_uses_its_code_once(till: Till, shop: Shop) -> None:
    (code,) = codes_of(shop)
    fields = {"code": code, "card": shop.card.serial, "key": "scan-1"}

    first, again = till.send("/till/scan", **fields), till.send("/till/scan", **fields)

    assert first.location == again.location
    assert shop.balance() == 120


def test_a_code_without_a_card_waits_for_the_next_one(till: Till, shop: Shop) -> None:
    (code,) = codes_of(shop)

    waiting = till.done(till.scan(code))
    assert "Scan the customer's card first" in waiting
    assert "20 points" in waiting
    assert code not in re.sub(r"<input[^>]*>", "", waiting)
    assert "Use it for Ayşe Y." in till.done(till.scan(shop.card.number))
    done = till.done(use(till, shop, code))

    assert shop.balance() == 120
    assert "A code waits" not in done


def test_a_waiting_code_can_be_left_and_waits_ten_minutes_at_most(till: Till, shop: Shop) -> None:
    (code,) = codes_of(shop)
    till.done(till.scan(code))
    assert "Scan the customer's card" not in till.done(till.send("/till/code/forget"))

    till.done(till.scan(code))
    shop.world.clock.advance(minutes=11)  # type: ignore[attr-defined]

    assert "A code waits" not in opened(till, shop)
    assert shop.balance() == 100


def test_a_used_code_says_when_and_where(till: Till, shop: Shop) -> None:
    (code,) = codes_of(shop)
    till.done(use(till, shop, code))

    again = use(till, shop, code)
    alone = till.scan(code)

    for refused in (again, alone):
        assert refused.status_code == 409
        assert re.search(r"Used \d\d:\d\d at Kadıköy", refused.text)
    assert shop.balance() == 120


def test_undoing_what_a_code_gave_makes_it_good_again(till: Till, shop: Shop) -> None:
    (code,) = codes_of(shop)
    till.done(use(till, shop, code))
    shop.world.clock.advance(seconds=5)  # type: ignore[attr-defined]

    till.done(till.undo(shop.entries()[0].id))
    assert shop.balance() == 100
    till.done(use(till, shop, code))

    assert shop.balance() == 120


def test_a_code_that_ended_says_so_in_its_own_words(till: Till, shop: Shop) -> None:
    (code,) = codes_of(shop, ends_at=shop.world.clock() + timedelta(hours=1))
    shop.world.clock.advance(hours=2)  # type: ignore[attr-defined]

    for refused in (use(till, shop, code), till.scan(code)):
        assert refused.status_code == 409
        assert "This code has ended." in refused.text


def test_a_wrong_check_character_is_answered_without_looking_it_up(till: Till, shop: Shop) -> None:
    (code,) = codes_of(shop)
    wrong = code[:-1] + ("0" if code[-1] != "0" else "1")
    asked: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        asked.append(statement)

    engine = shop.world.database.engine
    event.listen(engine, "before_cursor_execute", note)
    refused = use(till, shop, wrong)
    event.remove(engine, "before_cursor_execute", note)

    assert refused.status_code == 422
    assert not [one for one in asked if "FROM coupon" in one]
    assert shop.balance() == 100


def test_cards_and_codes_have_one_counter_of_wrong_tries(till: Till, shop: Shop) -> None:
    from_cards = [till.scan(card_codes.new_number()).status_code for _ in range(5)]
    from_codes = [use(till, shop, f"NO-SUCH-CODE-{n}2345").status_code for n in range(5)]
    (code,) = codes_of(shop)

    locked = use(till, shop, code)

    assert from_cards == from_codes == [404] * 5
    assert locked.status_code == 429
    assert "Too many wrong codes" in locked.text
    assert shop.balance() == 100


def test_the_open_card_stays_when_its_code_is_refused(till: Till, shop: Shop) -> None:
    refused = use(till, shop, "NOSUCHCODE99")

    assert refused.status_code == 404
    assert "Ayşe Y." in refused.text
    assert 'id="e-use-code"' in refused.text


@pytest.mark.parametrize("text", ["", "x" * 65, "\x00", "'--", "ayse@example.com", "LY1:"])
def test_a_text_that_is_no_code_is_refused(till: Till, shop: Shop, text: str) -> None:
    assert use(till, shop, text).status_code in {404, 422}


def test_a_card_is_looked_up_before_a_code(till: Till, shop: Shop) -> None:
    with shop.world.database.unit_of_work() as session:
        programme = session.get_one(Programme, shop.programme.id)
        draft = BatchDraft(name="Ours", gives="points", points=20, size=1)
        batches.take_in(session, programme, draft, [shop.card.number], by="cli", now=shop.world.clock())

    assert till.scan(shop.card.number).location == f"/till/cards/{shop.card.serial}"


def test_a_reward_that_depends_on_the_basket_asks_what_it_costs(till: Till, shop: Shop) -> None:
    reward = add(shop, name="Discount", points=50, kind="discount", value_minor=1_000, flexible=True)
    assert "10.00 for each 50 points" in opened(till, shop)

    asked = till.redeem(shop.card, reward=reward.public_id, key="k")
    assert asked.status_code == 200
    assert "What does the purchase cost?" in asked.text
    assert f'name="reward" value="{reward.public_id}"' in asked.text
    assert shop.balance() == 100
    done = till.done(till.redeem(shop.card, reward=reward.public_id, basket="42", key="k"))

    assert shop.balance() == 0
    assert "100 points for " in done
    assert re.search(r"Take .*20\.00 off", done)
    assert re.search(r"22\.00 to pay", done)


def test_what_stands_in_the_amount_field_is_the_basket(till: Till, shop: Shop) -> None:
    reward = add(shop, name="Discount", points=50, kind="discount", value_minor=1_000, min_spend_minor=5_000)

    refused = till.redeem(shop.card, reward=reward.public_id, basket="42")

    assert refused.status_code == 409
    assert "Needs 50.00, basket 42.00" in refused.text
    assert shop.balance() == 100
    assert 'value="42"' in refused.text


@pytest.mark.parametrize("basket", ["x", "1.250", "-4", "0"])
def test_a_basket_that_cannot_be_read_is_asked_for_again(till: Till, shop: Shop, basket: str) -> None:
    reward = add(shop, name="Discount", points=50, kind="discount", value_minor=1_000, flexible=True)

    refused = till.redeem(shop.card, reward=reward.public_id, basket=basket)

    assert refused.status_code == 422
    assert "What does the purchase cost?" in refused.text
    assert shop.balance() == 100


def test_a_gift_that_waits_is_handed_over_once(till: Till, shop: Shop) -> None:
    reward = add(shop, name="Mug", points=40, pick_up=True)
    page = till.done(till.redeem(shop.card, reward=reward.public_id))
    booking = found(r'name="booking" value="([^"]+)"', page)
    address = f"/till/cards/{shop.card.serial}/collect"

    told = till.done(till.send(address, key="c1", booking=booking))
    again, repeated = till.send(address, key="c2", booking=booking), till.send(address, key="c1", booking=booking)

    assert "Handed over: Mug" in told
    assert "To hand over" not in told
    assert again.status_code == 409
    assert "handed out already" in again.text
    assert repeated.status_code == 303
    with shop.world.database.reading() as session:
        assert session.scalars(select(Taking.collected_at).where(Taking.public_id == booking)).one() is not None


@pytest.mark.parametrize("booking", ["", "tak_unknown", "x\x00", "'--"])
def test_only_this_card_s_bookings_are_handed_over(till: Till, shop: Shop, booking: str) -> None:
    answer = till.send(f"/till/cards/{shop.card.serial}/collect", key="c", booking=booking)

    assert answer.status_code == 404


def found(pattern: str, page: str) -> str:
    match = re.search(pattern, page)
    assert match, page
    return match[1]


def test_a_card_saves_for_a_reward(till: Till, shop: Shop) -> None:
    page = opened(till, shop)
    cake = found(r'name="reward" value="([^"]+)"><span class="title">Cake', page)
    address = f"/till/cards/{shop.card.serial}/goal"

    told = till.done(till.send(address, key="g1", reward=cake))
    assert "The card saves for: Cake" in told
    assert "100 of 150 points" in told
    dropped = till.done(till.send(address, key="g2", reward=""))

    assert "100 of 150 points" not in dropped
    assert till.send(address, key="g3", reward="rwd_unknown").status_code == 404


def experience(shop: Shop, capacity: int = 1) -> tuple[Reward, Slot]:
    reward = add(shop, name="Roastery tour", points=60, kind="experience")
    now = shop.world.clock()
    with shop.world.database.unit_of_work() as session:
        mine = session.get_one(Reward, reward.id)
        starts = now + timedelta(days=2)
        slot = slots.add(
            session, mine, starts_at=starts, ends_at=starts + timedelta(hours=2), capacity=capacity, now=now
        )
    return reward, slot


def test_a_date_is_booked_and_the_member_let_in(till: Till, shop: Shop) -> None:
    reward, slot = experience(shop)
    assert "1 place" in opened(till, shop)

    page = till.done(till.redeem(shop.card, reward=reward.public_id, slot=slot.public_id))
    booking = found(r'name="booking" value="([^"]+)"', page)
    address = f"/till/cards/{shop.card.serial}/collect"

    assert shop.balance() == 40
    assert "not open yet" in till.send(address, key="c1", booking=booking).text
    shop.world.clock.advance(days=2)  # type: ignore[attr-defined]
    assert "Handed over: Roastery tour" in till.done(till.send(address, key="c2", booking=booking))


def test_a_full_date_is_refused_or_waited_for(till: Till, shop: Shop) -> None:
    reward, slot = experience(shop)
    with shop.world.database.unit_of_work() as session:
        session.get_one(Slot, slot.id).taken = 1

    refused = till.redeem(shop.card, reward=reward.public_id, slot=slot.public_id)
    assert refused.status_code == 409
    assert "All 1 places of this date are taken" in refused.text
    till.done(till.redeem(shop.card, reward=reward.public_id, slot=slot.public_id, waits="yes"))

    assert shop.balance() == 40


def test_a_gift_card_opens_its_money_at_once(till: Till, shop: Shop) -> None:
    now = shop.world.clock()
    with shop.world.database.unit_of_work() as session:
        gift = stock.issue(session, session.get_one(Programme, shop.programme.id), "gift", source="till", now=now)

    assert till.scan(gift.number).location == f"/till/money/{gift.serial}"
    assert till.client.get(f"/till/cards/{gift.serial}").location == f"/till/money/{gift.serial}"
    by_script = till.client.post(
        "/till/scan",
        data={"csrf_token": till.token, "code": gift.number},
        headers={"X-Requested-With": "fetch"},
    )
    assert by_script.headers["X-Till-Go"] == f"/till/money/{gift.serial}"
    assert "Back to the card" not in till.client.get(f"/till/money/{gift.serial}").text


def test_money_on_the_card_is_shown_and_carries_the_amount(till: Till, shop: Shop) -> None:
    assert "Pay with it" not in opened(till, shop)
    with shop.world.database.unit_of_work() as session:
        new = NewLoad(amount_minor=17_950, currency="TRY", reference="POS 1")
        paying.load(session, session.get_one(Card, shop.card.id), new, by=BY, now=shop.world.clock())

    page = opened(till, shop)
    money = till.client.get(f"/till/money/{shop.card.serial}?amount=42,50")

    assert "179.50" in page
    assert "Pay with it" in page
    assert money.text.count('value="42,50"') == 1
    assert 'value="&lt;' in till.client.get(f"/till/money/{shop.card.serial}?amount=<b>").text


def discounted(shop: Shop, percent: str = "10") -> None:
    """From now on everybody pays less, and earns on the rest."""
    now = shop.world.clock()
    rules = {
        "rules": [
            {"kind": "amount", "name": "Base", "points": 1, "per": "10.00"},
            {"kind": "discount", "name": "Books", "bands": [{"from": "0", "percent": percent}]},
        ]
    }
    with shop.world.database.unit_of_work() as session:
        programme = session.get_one(Programme, shop.programme.id)
        earning.publish(session, programme, rules, starts_at=None, note="Discount", by="cli", now=now)
    shop.world.clock.advance(seconds=2)  # type: ignore[attr-defined]


def bearer(shop: Shop, kind: str = "bearer") -> Card:
    with shop.world.database.unit_of_work() as session:
        programme = session.get_one(Programme, shop.programme.id)
        return stock.issue(session, programme, kind, source="till", now=shop.world.clock())


def test_what_the_rules_take_off_a_purchase_is_told_large(till: Till, shop: Shop) -> None:
    discounted(shop)

    done = till.done(till.earn(shop.card, "324.90"))

    assert re.search(r"Take .*32\.49 off", done)
    assert re.search(r"292\.41 to pay", done)
    assert "10 % off: Books" in done


def test_a_bearer_card_s_discount_is_shown_before_it_is_booked(till: Till, shop: Shop) -> None:
    discounted(shop)
    card = bearer(shop)

    asked = till.earn(card, "125", key="k1")
    assert asked.status_code == 200
    assert re.search(r"Take .*12\.50 off", asked.text)
    assert re.search(r"112\.50 to pay", asked.text)
    with shop.world.database.reading() as session:
        assert ledger.history(session, card.id) == []
    till.done(till.earn(card, "", minor="12500", off="1250", key="k1"))

    with shop.world.database.reading() as session:
        (entry,) = ledger.history(session, card.id)
    assert entry.amount_minor == 11_250


def test_a_discount_that_is_another_one_by_now_is_not_booked(till: Till, shop: Shop) -> None:
    discounted(shop)
    card = bearer(shop)

    refused = till.earn(card, "", minor="12500", off="1251")

    assert refused.status_code == 409
    assert "discount has changed" in refused.text
    with shop.world.database.reading() as session:
        assert ledger.history(session, card.id) == []
