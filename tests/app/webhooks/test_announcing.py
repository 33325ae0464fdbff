"""What happens is said in the same transaction, to those who asked, without a word about anybody."""

import json
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event as engine_events
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.cards import expansion
from app.cards import service as cards
from app.cards.models import Card, Member
from app.counter import offering, returns, sales
from app.counter.moves import Actor
from app.counter.pricing import Sale
from app.offers import service as offers
from app.offers.models import Offer
from app.offers.service import OfferDraft
from app.outbox.models import Message
from app.outbox.service import Lane
from app.wallets.apple import registrations
from app.wallets.apple.registrations import Arrival
from app.wallets.google import events as google_events
from app.wallets.google import service as google
from app.webhooks import deliveries, endpoints, kinds, listeners, service
from app.webhooks.models import Event
from app.world import World
from passes.google.callback import CallbackEvent, EventType
from tests import factories
from tests.app.webhooks.conftest import House
from tests.bench import seed

BY = Actor(name="key:test", channel="api")


def said(house: House) -> list[dict[str, Any]]:
    """Every event there is, the oldest first."""
    with house.world.database.reading() as session:
        return [json.loads(one.body) for one in session.scalars(select(Event).order_by(Event.id))]


def counted(world: World, model: Any) -> int:
    with world.database.reading() as session:
        return session.scalar(select(func.count()).select_from(model)) or 0


def sell(house: House, amount_minor: int = 12_000) -> None:
    with house.world.database.unit_of_work() as session:
        shop = factories.store(session, house.programme, f"Store {amount_minor}")
        sale = Sale(amount_minor=amount_minor, currency="TRY", receipt=f"R-{amount_minor}", store=shop)
        sales.earn(session, house.card, sale, by=BY, now=house.world.clock())


def test_a_sale_says_that_the_card_changed_and_what_was_booked(any_house: House) -> None:
    house = any_house
    house.listen()

    sell(house)

    card = {"number": house.card.number, "serial": house.card.serial, "version": 2}
    updated, created = said(house)
    assert (updated["type"], updated["data"]) == ("card.updated", {"card": card, "status": "active"})
    assert created["type"] == "transaction.created"
    transaction = created["data"].pop("transaction")
    assert created["data"] == {"card": card, "balance": 12, "tier": None}
    assert transaction.pop("id").startswith("txn_")
    assert transaction.pop("store").startswith("sto_")
    assert transaction == {
        "kind": "earn", "points": 12, "amount": "120.00", "currency": "TRY", "receipt": "R-12000", "reverses": None,
    }  # fmt: skip


def test_a_sale_that_is_taken_back_says_nothing(any_house: House) -> None:
    house = any_house
    house.listen()

    def sell_and_fail(session: Session) -> None:
        sale = Sale(amount_minor=1000, currency="TRY")
        sales.earn(session, house.card, sale, by=BY, now=house.world.clock())
        raise RuntimeError("after the sale, before its commit")

    with pytest.raises(RuntimeError):
        house.world.database.transact(sell_and_fail)

    assert said(house) == []
    assert counted(house.world, Message) == 0


def test_offers_and_reversals_are_told(house: House) -> None:
    house.listen()
    now = house.world.clock()
    with house.world.database.unit_of_work() as session:
        draft = OfferDraft(
            programme=house.programme, title="Free simit", body="", starts_at=now, ends_at=now + timedelta(days=1),
            timezone="Europe/Istanbul",
        )  # fmt: skip
        offer = offers.create(session, draft, by="test", now=now)
        offers.tick(session, now=now)
        done = offering.redeem_offer(session, house.card, session.get_one(Offer, offer.id), by=BY, now=now)
        undone = returns.reverse(session, done.entry.id, reason="test", by=BY, now=now)

    by_kind = {one["type"]: one["data"] for one in said(house)}
    redeemed = by_kind["offer.redeemed"]
    assert (redeemed["offer"], redeemed["transaction"]) == (offer.public_id, done.entry.id)
    assert by_kind["transaction.created"]["transaction"]["reverses"] == done.entry.id
    assert by_kind["transaction.created"]["transaction"]["id"] == undone.entry.id


def test_a_new_card_and_an_erased_member_are_told_without_a_name(house: House) -> None:
    house.listen()
    now = house.world.clock()
    with house.world.database.unit_of_work() as session:
        card = factories.card(session, house.programme, "Fatma Demir", email="fatma@example.com", phone="+905321234567")
        cards.erase(session, session.get_one(Member, card.member_id), now=now)

    created, updated = said(house)
    assert created["type"] == "card.created"
    assert created["data"]["card"] == {"number": card.number, "serial": card.serial, "version": 1}
    assert created["data"]["member"].startswith("mem_")
    assert updated["data"]["status"] == "erased"
    everything = json.dumps([created, updated], ensure_ascii=False)
    assert not [word for word in ("Fatma", "Demir", "fatma", "532") if word in everything]


def test_a_bulk_change_says_how_many_and_nothing_of_each_card(any_house: House) -> None:
    house = any_house
    house.listen()
    now = house.world.clock()
    with house.world.database.unit_of_work() as session:
        for number in range(4):
            factories.card(session, house.programme, f"Member {number}")
        expansion.start(session, programme_id=house.programme.id, reason="design", now=now)
    before = len(said(house))

    for _ in range(5):
        with house.world.database.reading() as session:
            turn = expansion.next_turn(session)
        if turn is not None:
            with house.world.database.unit_of_work() as session:
                expansion.take(session, turn, now=now)

    (finished,) = said(house)[before:]
    assert (finished["type"], finished["data"]) == (
        "campaign.finished",
        {"reason": "design", "state": "done", "offer": None, "cards": 5, "left": 0},
    )


def test_a_bulk_change_that_was_stopped_says_so_and_what_it_did_not_come_to(any_house: House) -> None:
    house = any_house
    house.listen()
    now = house.world.clock()
    chunk = expansion.CHUNK_SQLITE if house.world.database.is_sqlite else expansion.CHUNK_POSTGRES
    seed.seed(house.world.database, seed.Crowd(programme_id=house.programme.id, cards=chunk + 10), now=now)
    with house.world.database.unit_of_work() as session:
        changes = [
            expansion.start(session, programme_id=house.programme.id, reason=reason, now=now).id
            for reason in ("design", "offer_started")
        ]
    before = len(said(house))
    with house.world.database.reading() as session:
        turn = expansion.next_turn(session)
    assert turn is not None
    with house.world.database.unit_of_work() as session:
        expansion.take(session, turn, now=now)

    with house.world.database.unit_of_work() as session:
        for change in changes:
            expansion.stop(session, change, by="staff:mary", now=now)

    begun, never_begun = (one["data"] for one in said(house)[before:])
    assert begun == {"reason": "design", "state": "stopped", "offer": None, "cards": chunk, "left": 11}
    assert (never_begun["state"], never_begun["cards"], never_begun["left"]) == ("stopped", 0, None)


def test_only_who_asked_is_told(house: House) -> None:
    with house.world.database.unit_of_work() as session:
        other = factories.programme(session, slug="other", pass_type_identifier="pass.com.example.other")
        made, _ = endpoints.create(
            session, url=house.sink.url, programme_id=other.id, events=None, description="", now=house.world.clock()
        )
    wanting = house.listen(events=["card.updated"])
    house.listen(events=["card.created"])
    whole = house.listen(whole=True)
    switched_off = house.listen()
    house.change(switched_off, enabled=False)

    house.announce()

    assert {job.endpoint_id for job in house.jobs()} == {wanting.id, whole.id}
    assert made.id not in {job.endpoint_id for job in house.jobs()}


def test_alarms_reach_the_installation_s_webhooks_alone(house: House) -> None:
    house.listen()
    whole = house.listen(whole=True)

    with house.world.database.unit_of_work() as session:
        service.announce(
            session, programme_id=None, kind=kinds.ALARM_RAISED, data={"alarm": "x"}, now=house.world.clock()
        )

    assert [job.endpoint_id for job in house.jobs()] == [whole.id]
    assert said(house)[0]["programme"] is None


def statements(house: House) -> list[str]:
    found: list[str] = []
    engine_events.listen(house.world.database.engine, "before_cursor_execute", lambda *told: found.append(told[2]))
    return found


def test_where_nobody_listens_a_change_costs_no_statement(any_house: House) -> None:
    house = any_house
    house.announce()
    found = statements(house)

    with house.world.database.unit_of_work() as session:
        for _ in range(10):
            service.announce(
                session, programme_id=house.programme.id, kind=kinds.CARD_UPDATED, data={}, now=house.world.clock()
            )

    assert [one for one in found if "webhook" in one or "message" in one] == []
    assert counted(house.world, Event) == 0


def test_a_new_endpoint_of_another_process_is_known_when_what_was_remembered_is_old(house: House) -> None:
    house.announce()
    made = house.listen()
    known = listeners._known[house.world.database.engine]
    assert known.until == 0.0

    house.announce()

    assert [job.endpoint_id for job in house.jobs()] == [made.id]
    assert 0 < listeners.REMEMBERED_S <= 2


def test_for_one_card_later_numbers_mean_later_versions(any_house: House) -> None:
    house = any_house
    house.listen(events=["card.updated"])

    for _ in range(5):
        with house.world.database.unit_of_work() as session:
            cards.touch(session, session.get_one(Card, house.card.id), lane=Lane.URGENT, now=house.world.clock())
    house.deliver()

    told = sorted((one.event["sequence"], one.event["data"]["card"]["version"]) for one in house.sink.received)
    assert [version for _, version in told] == [2, 3, 4, 5, 6]


def arrive(house: House, phone: str) -> None:
    arrival = Arrival(
        library_identifier=phone, push_token=phone * 8, pass_type="pass.com.example.kahve", card_id=house.card.id
    )
    with house.world.database.unit_of_work() as session:
        registrations.register(session, arrival, now=house.world.clock())


def leave(house: House, phone: str) -> None:
    with house.world.database.unit_of_work() as session:
        registrations.unregister(session, library_identifier=phone, card_id=house.card.id, now=house.world.clock())


def test_the_first_iphone_installs_a_card_and_the_last_one_takes_it_off(any_house: House) -> None:
    house = any_house
    house.listen(events=["card.installed", "card.uninstalled"])
    first, second = "aaaaaaaa", "bbbbbbbb"

    arrive(house, first)
    arrive(house, first)
    arrive(house, second)
    leave(house, first)
    leave(house, first)
    leave(house, second)

    assert [(one["type"], one["data"]["wallet"]) for one in said(house)] == [
        ("card.installed", "apple"),
        ("card.uninstalled", "apple"),
    ]
    assert said(house)[0]["data"]["card"]["number"] == house.card.number


def test_a_dead_phone_takes_its_cards_off(any_house: House) -> None:
    house = any_house
    house.listen(events=["card.installed", "card.uninstalled"])
    arrive(house, "aaaaaaaa")

    with house.world.database.unit_of_work() as session:
        now = house.world.clock()
        registrations.forget_token(session, "aaaaaaaa" * 8, dead_since=now, now=now)

    assert [one["type"] for one in said(house)] == ["card.installed", "card.uninstalled"]


def called_back(house: House, kind: EventType, nonce: str) -> None:
    now = house.world.clock()
    event = CallbackEvent(
        event=kind,
        object_id="3388.card",
        class_id="3388.class",
        nonce=nonce,
        expires_at=now + timedelta(hours=1),
        count=1,
    )
    with house.world.database.unit_of_work() as session:
        google_events.apply(session, event, now=now)


def test_google_s_first_save_and_last_removal_are_told_once(any_house: House) -> None:
    house = any_house
    house.listen(events=["card.installed", "card.uninstalled"])
    with house.world.database.unit_of_work() as session:
        google.object_row(session, card_id=house.card.id, object_id="3388.card", now=house.world.clock())

    called_back(house, EventType.DELETE, "n0")
    called_back(house, EventType.SAVE, "n1")
    called_back(house, EventType.SAVE, "n1")
    called_back(house, EventType.SAVE, "n2")
    called_back(house, EventType.DELETE, "n3")
    called_back(house, EventType.DELETE, "n4")

    assert [(one["type"], one["data"]["wallet"]) for one in said(house)] == [
        ("card.installed", "google"),
        ("card.uninstalled", "google"),
    ]


def test_what_is_old_is_found_without_reading_what_is_not(house: House) -> None:
    for model, old in deliveries.old_rows(10**15):
        statement = select(model.id).where(old).limit(1000)
        compiled = statement.compile(house.world.database.engine, compile_kwargs={"literal_binds": True})
        with house.world.database.engine.connect() as connection:
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {compiled}").all()

        assert any("_created_at" in step[3] for step in plan), plan
