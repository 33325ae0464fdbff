"""What a till sends after a time without a connection: each once, by the right clock, and nothing lost."""

import itertools
import random
import threading
import uuid
from datetime import datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from app.cards import codes
from app.cards.models import Programme
from app.ledger import held
from app.ledger.models import Entry
from app.staff.models import AuditEvent, Staff
from app.stamps import service as stamps
from app.stamps.drafts import StampCardDraft
from app.stamps.models import StampCard
from app.till.models import OfflineSale
from tests import factories
from tests.app.till.conftest import Shop, Till


class Offline(Till):
    """A till that sends what it kept."""

    def __init__(self, app: Flask, shop: Shop, staff: Staff) -> None:
        super().__init__(app, staff)
        self.shop = shop
        self.me = staff

    def item(self, **over: Any) -> dict[str, Any]:
        at = self.shop.world.clock() - timedelta(hours=1)
        values = {
            "id": str(uuid.uuid4()),
            "kind": "earn",
            "code": self.shop.card.number,
            "amount": 12000,
            "currency": "TRY",
            "at": at.isoformat(),
            "zone": "Europe/Istanbul",
            "cashier": self.me.public_id,
            "place": self.shop.store.public_id,
        }
        return values | over

    def sync(self, *items: Any, sent_at: datetime | None = None) -> list[dict[str, Any]]:
        answer = self.push({"sent_at": (sent_at or self.shop.world.clock()).isoformat(), "items": list(items)})
        assert answer.status_code == 200, answer.text
        results: list[dict[str, Any]] = answer.json["results"]
        return results

    def push(self, body: Any) -> Any:
        headers = {"X-CSRFToken": self.token, "X-Requested-With": "fetch", "Accept": "application/json"}
        return self.client.post("/till/sync", json=body, headers=headers)

    def outcome(self, *items: Any, **more: Any) -> list[tuple[str, str]]:
        return [(one["status"], one["reason"]) for one in self.sync(*items, **more)]


@pytest.fixture
def offline(app: Flask, shop: Shop) -> Offline:
    return Offline(app, shop, shop.cashier)


@pytest.fixture
def manager(app: Flask, shop: Shop) -> Offline:
    return Offline(app, shop, shop.manager)


def kept(shop: Shop) -> list[OfflineSale]:
    with shop.world.database.reading() as session:
        return list(session.scalars(select(OfflineSale).order_by(OfflineSale.id)))


def last_entry(shop: Shop) -> Entry:
    return shop.entries()[0]


def test_a_kept_sale_is_booked_at_the_time_it_was_made_and_by_whom(offline: Offline, shop: Shop) -> None:
    made_at = shop.world.clock() - timedelta(hours=5)

    (result,) = offline.sync(offline.item(at=made_at.isoformat(), receipt="A-1"))

    assert (result["status"], result["flags"], result["kept"]) == ("applied", [], True)
    assert shop.balance() == 112
    entry = last_entry(shop)
    assert (entry.occurred_at, entry.recorded_at) == (made_at, shop.world.clock())
    assert (entry.actor, entry.receipt, entry.store_id) == (f"staff:{shop.cashier.public_id}", "A-1", shop.store.id)


def test_a_queue_that_is_sent_again_is_booked_once_and_answered_the_same(offline: Offline, shop: Shop) -> None:
    items = [offline.item(amount=1000 * n, receipt=f"R-{n}") for n in range(1, 6)]
    first = offline.sync(*items)
    shop.world.clock.advance(days=40)  # type: ignore[attr-defined]

    again = offline.sync(*random.Random(4).sample(items, 5))

    assert shop.balance() == 115
    assert {one["id"]: one["status"] for one in again} == {one["id"]: one["status"] for one in first}
    assert all(one["replayed"] for one in again)
    assert len(kept(shop)) == 5


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_any_order_leads_to_the_same_balance_and_times(offline: Offline, shop: Shop, order: tuple[int, ...]) -> None:
    now = shop.world.clock()
    items = [
        offline.item(amount=a, at=(now - timedelta(hours=h)).isoformat()) for a, h in ((990, 1), (5000, 9), (20, 30))
    ]

    offline.sync(*(items[n] for n in order))

    assert shop.balance() == 105
    booked = sorted((entry.occurred_at, entry.amount_minor) for entry in shop.entries()[:3])
    assert booked == [
        (now - timedelta(hours=30), 20),
        (now - timedelta(hours=9), 5000),
        (now - timedelta(hours=1), 990),
    ]


def test_the_same_id_with_another_amount_is_not_taken(offline: Offline, shop: Shop) -> None:
    item = offline.item()
    offline.sync(item)

    (result,) = offline.sync({**item, "amount": 99})

    assert (result["reason"], result["kept"]) == ("idempotency_mismatch", False)
    assert shop.balance() == 112


def test_another_cashier_sends_it_and_the_entry_names_both(manager: Offline, shop: Shop) -> None:
    item = manager.item(cashier=shop.cashier.public_id)

    assert manager.outcome(item) == [("applied", "")]

    entry = last_entry(shop)
    assert entry.actor == f"staff:{shop.cashier.public_id}"
    assert entry.note == f"offline, sent by staff:{shop.manager.public_id}"
    (row,) = kept(shop)
    assert (row.cashier, row.sent_by) == (shop.cashier.public_id, shop.manager.public_id)


def test_the_same_receipt_from_two_tills_is_a_duplicate_the_second_time(
    offline: Offline, manager: Offline, shop: Shop
) -> None:
    offline.sync(offline.item(receipt="A-7"))

    assert manager.outcome(manager.item(receipt="A-7")) == [("duplicate", "duplicate_receipt")]

    assert shop.balance() == 112
    assert "earned at another till" in manager.client.get("/till/conflicts").text


def test_the_same_amount_within_a_minute_is_booked_with_a_doubt(offline: Offline, manager: Offline, shop: Shop) -> None:
    now = shop.world.clock()
    offline.sync(offline.item(at=(now - timedelta(minutes=30)).isoformat()))

    near, far = manager.sync(
        manager.item(at=(now - timedelta(minutes=29, seconds=10)).isoformat()),
        manager.item(at=(now - timedelta(minutes=20)).isoformat()),
    )

    assert (near["status"], near["flags"]) == ("applied", ["twice"])
    assert (far["status"], far["flags"]) == ("applied", [])


def test_two_receipts_tell_equal_sales_apart(offline: Offline, shop: Shop) -> None:
    first, second = offline.sync(offline.item(receipt="A-1"), offline.item(receipt="A-2"))

    assert first["flags"] == second["flags"] == []


def test_after_72_hours_a_manager_decides(offline: Offline, manager: Offline, shop: Shop) -> None:
    now = shop.world.clock()
    edge, old = (now - timedelta(hours=72)), (now - timedelta(hours=72, milliseconds=1))

    results = offline.outcome(offline.item(at=edge.isoformat()), offline.item(at=old.isoformat()))

    assert results == [("applied", ""), ("refused", "too_old")]
    assert shop.balance() == 112
    (row,) = [one for one in kept(shop) if one.is_open]
    later = shop.world.clock.advance(minutes=1)  # type: ignore[attr-defined]
    assert manager.send(f"/till/conflicts/{row.public_id}/accept").status_code == 303
    assert shop.balance() == 124
    entry = last_entry(shop)
    assert (entry.occurred_at, entry.actor) == (later, f"staff:{shop.cashier.public_id}")
    assert entry.note.endswith(f"sent by staff:{shop.manager.public_id}")


@pytest.mark.parametrize(
    "off", [timedelta(minutes=6), timedelta(minutes=-6), timedelta(days=400), timedelta(days=-400)]
)
def test_a_clock_that_is_wrong_by_more_than_five_minutes_is_not_believed(
    offline: Offline, shop: Shop, off: timedelta
) -> None:
    now = shop.world.clock()
    item = offline.item(at=(now - timedelta(hours=2) + off).isoformat())

    answer = offline.push({"sent_at": (now + off).isoformat(), "items": [item]}).json

    assert answer["clock_off_s"] == off.total_seconds()
    assert (answer["results"][0]["status"], answer["results"][0]["flags"]) == ("applied", ["clock"])
    assert last_entry(shop).occurred_at == now


def test_a_wrong_clock_still_measures_the_age_of_its_own_queue(offline: Offline, shop: Shop) -> None:
    off = timedelta(days=-30)
    now = shop.world.clock()

    results = offline.outcome(offline.item(at=(now + off - timedelta(hours=73)).isoformat()), sent_at=now + off)

    assert results == [("refused", "too_old")]


def test_five_minutes_of_difference_are_believed(offline: Offline, shop: Shop) -> None:
    now = shop.world.clock()
    ahead = now + timedelta(minutes=5)

    (result,) = offline.sync(offline.item(at=ahead.isoformat()), sent_at=ahead)

    assert result["flags"] == []
    assert last_entry(shop).occurred_at == ahead


def test_a_sale_from_the_future_of_a_right_clock_is_flagged(offline: Offline, shop: Shop) -> None:
    ahead = shop.world.clock() + timedelta(minutes=5, seconds=1)

    (result,) = offline.sync(offline.item(at=ahead.isoformat()))

    assert (result["status"], result["flags"]) == ("applied", ["clock"])
    assert last_entry(shop).occurred_at == shop.world.clock()


def test_clock_remarks_are_noted_all_at_once(offline: Offline, manager: Offline, shop: Shop) -> None:
    ahead = shop.world.clock() + timedelta(hours=1)
    offline.sync(*(offline.item(amount=n * 100, at=ahead.isoformat()) for n in range(1, 4)))

    assert manager.send("/till/conflicts/noted").status_code == 303

    assert [row.is_open for row in kept(shop)] == [False] * 3


def test_a_form_whose_answer_was_lost_counts_once_whichever_arrives_first(offline: Offline, shop: Shop) -> None:
    serial = shop.card.serial
    offline.send(f"/till/cards/{serial}/earn", key="form-a", amount="120")

    assert offline.outcome(offline.item(key="form-a")) == [("duplicate", "already_booked")]
    assert shop.balance() == 112

    assert offline.outcome(offline.item(key="form-b", amount=5000)) == [("applied", "")]
    late = offline.send(f"/till/cards/{serial}/earn", key="form-b", amount="50")
    assert late.status_code == 422
    assert shop.balance() == 117


def test_what_is_not_known_is_kept_for_a_manager_who_gives_the_right_card(
    offline: Offline, manager: Offline, shop: Shop
) -> None:
    assert offline.outcome(offline.item(code=codes.new_number())) == [("refused", "unknown_code")]
    (row,) = kept(shop)
    address = f"/till/conflicts/{row.public_id}/accept"
    assert manager.send(address).status_code == 404
    assert manager.send(address, code="7K3M9QX2TD5").status_code == 422

    assert manager.send(address, code=shop.card.number).status_code == 303

    assert shop.balance() == 112
    assert manager.send(address, code=shop.card.number).status_code == 409
    assert shop.balance() == 112


def test_a_replaced_card_and_another_programme_s_card_are_refused(offline: Offline, shop: Shop) -> None:
    with shop.world.database.unit_of_work() as session:
        other = factories.programme(session, slug="other", name="Other")
        foreign = factories.card(session, other, "Deniz").number
        gone = factories.card(session, shop.programme, "Can Öz")
        gone.status = "voided"
        number = gone.number
        session.add(gone)

    assert offline.outcome(offline.item(code=foreign), offline.item(code=number)) == [
        ("refused", "unknown_code"),
        ("refused", "void_card"),
    ]


def test_an_amount_above_a_cashier_s_limit_waits_for_a_manager(offline: Offline, manager: Offline, shop: Shop) -> None:
    assert offline.outcome(offline.item(amount=1_000_001)) == [("refused", "needs_manager")]
    assert offline.outcome(offline.item(amount=1_000_000)) == [("applied", "")]
    (row,) = [one for one in kept(shop) if one.is_open]

    manager.send(f"/till/conflicts/{row.public_id}/accept")

    assert shop.balance() == 100 + 1000 + 1500  # the first one made the member gold: half as much again


def test_setting_aside_needs_a_reason_and_a_manager_and_is_written_down(
    offline: Offline, manager: Offline, shop: Shop
) -> None:
    offline.sync(offline.item(code=codes.new_number()))
    (row,) = kept(shop)
    address = f"/till/conflicts/{row.public_id}/dismiss"
    assert offline.send(address, note="no").status_code == 403
    assert manager.send(address, note="  ").status_code == 422
    assert manager.send(address, note="x" * 201).status_code == 422

    assert manager.send(address, note="The customer has no card of ours").status_code == 303

    assert [(one.status, one.is_open) for one in kept(shop)] == [("dismissed", False)]
    with shop.world.database.reading() as session:
        told = session.scalars(select(AuditEvent).where(AuditEvent.action == "offline_sale_dismissed")).one()
    assert (told.subject, told.reason) == (f"offline_sale:{row.public_id}", "The customer has no card of ours")
    assert manager.send(address, note="again").status_code == 409


def test_a_manager_of_another_programme_sees_and_settles_nothing(offline: Offline, app: Flask, shop: Shop) -> None:
    offline.sync(offline.item(code=codes.new_number()))
    (row,) = kept(shop)
    with shop.world.database.unit_of_work() as session:
        other = factories.programme(session, slug="other", name="Other")
        mallory = factories.staff(session, "manager", email="mallory@example.com", programme=other)
    stranger = Till(app, mallory)

    assert stranger.send(f"/till/conflicts/{row.public_id}/accept", code=shop.card.number).status_code == 404
    assert row.number[-4:] not in stranger.client.get("/till/conflicts").text


def test_a_place_where_the_sender_does_not_work_stays_at_the_till(offline: Offline, shop: Shop) -> None:
    (result,) = offline.sync(offline.item(place=shop.other_store.public_id))

    assert (result["reason"], result["kept"], result["again"]) == ("wrong_store", False, True)
    assert kept(shop) == []


def test_an_unknown_cashier_is_not_invented(offline: Offline, manager: Offline, shop: Shop) -> None:
    assert offline.outcome(offline.item(cashier="sta_nobody")) == [("refused", "unknown_cashier")]
    (row,) = kept(shop)

    manager.send(f"/till/conflicts/{row.public_id}/accept")

    assert last_entry(shop).actor == f"staff:{shop.manager.public_id}"


def redeem(offline: Offline, points: int, **over: Any) -> dict[str, Any]:
    item = offline.item(kind="redeem", points=points, **over)
    del item["amount"]
    return item


def test_nothing_is_redeemed_without_an_allowance(offline: Offline, shop: Shop) -> None:
    assert offline.outcome(redeem(offline, 10)) == [("refused", "offline_not_allowed")]
    assert shop.balance() == 100


def test_an_allowance_is_spent_and_what_two_tills_gave_too_much_is_a_loss(
    offline: Offline, manager: Offline, shop: Shop
) -> None:
    assert manager.send("/till/offline/rules", stamps="yes", points_per_day="80").status_code == 303
    assert offline.client.get("/till/offline/state").json["points_per_day"] == 80

    first, second = offline.sync(redeem(offline, 80), redeem(offline, 70))

    assert (first["status"], first["flags"]) == ("applied", [])
    assert (second["status"], second["flags"]) == ("applied", ["allowance", "loss"])
    assert shop.balance() == 0
    assert [row.lost for row in kept(shop)] == [0, 50]
    assert "50 points too few" in manager.client.get("/till/conflicts").text


def test_more_than_the_allowance_at_once_is_refused(offline: Offline, manager: Offline, shop: Shop) -> None:
    manager.send("/till/offline/rules", points_per_day="20")

    assert offline.outcome(redeem(offline, 21)) == [("refused", "offline_not_allowed")]
    assert offline.client.get("/till/offline/state").json["stamp_cards"] == []


def test_an_allowance_is_a_whole_number(manager: Offline) -> None:
    for typed in ("-1", "1.5", "many", "10000000", "١"):
        answer = manager.send("/till/offline/rules", points_per_day=typed)

        assert answer.status_code == 422
        assert "whole number" in answer.text


BAD = {
    "id": ["", "x", 5, None, "A" * 36],
    "kind": ["burn", None, []],
    "amount": [0, -1, 1.5, True, "12", 10**9 + 1, None],
    "code": ["", "hello", None, 7, "7K3M9QX2TD5", "x" * 65],
    "currency": ["try", "", 1],
    "at": ["yesterday", "2026-11-20T10:00:00", "9999-12-31T23:59:59+00:00", "0001-01-01T00:00:00+14:00", 12, None],
    "zone": ["", "Mars\n", 3],
    "cashier": ["", "Robert'); DROP", None],
    "place": [None, "x"],
    "receipt": ["x" * 65, 5, "a\x00b"],
    "key": ["k" * 256, 9],
}


def test_what_cannot_be_understood_stays_at_the_till_and_holds_up_no_other(offline: Offline, shop: Shop) -> None:
    bad = [(field, value) for field, values in BAD.items() for value in values]

    *refused, good = offline.sync(*(offline.item(**{field: value}) for field, value in bad), offline.item())

    assert len(refused) == len(bad)
    taken = [case for case, one in zip(bad, refused, strict=True) if one["kept"] or one["status"] != "refused"]
    assert taken == []
    assert all(one["text"] for one in refused)
    assert good["status"] == "applied"
    assert len(kept(shop)) == 1


def test_a_batch_that_is_none_is_refused(offline: Offline) -> None:
    at = "2026-11-20T10:00:00Z"
    for body in (None, [], "x", {}, {"items": 3}, {"items": [1], "sent_at": at}, {"items": []}, {"sent_at": at}):
        assert offline.push(body).status_code == 422, body


def test_a_batch_has_at_most_a_hundred_items(offline: Offline, shop: Shop) -> None:
    sent_at = shop.world.clock().isoformat()

    answer = offline.push({"sent_at": sent_at, "items": [offline.item()] * 101})

    assert (answer.status_code, answer.json["code"]) == (422, "too_many_items")


def test_without_a_session_or_its_token_nothing_is_taken(app: Flask, offline: Offline, shop: Shop) -> None:
    body = {"sent_at": shop.world.clock().isoformat(), "items": [offline.item()]}
    stranger = app.test_client()

    assert offline.client.post("/till/sync", json=body).status_code == 400
    assert stranger.post("/till/sync", json=body, headers={"X-Requested-With": "fetch"}).status_code in (400, 401)
    offline.send("/logout")
    assert offline.push(body).status_code in (400, 401)
    assert kept(shop) == []


def test_numbers_cannot_be_tried_out_by_the_hundred(offline: Offline, shop: Shop) -> None:
    offline.sync(*(offline.item(code=codes.new_number()) for _ in range(50)))

    answer = offline.push({"sent_at": shop.world.clock().isoformat(), "items": [offline.item()]})

    assert answer.status_code == 429
    assert int(answer.headers["Retry-After"]) > 0


def test_the_same_item_from_two_requests_at_once_is_booked_once(app: Flask, offline: Offline, shop: Shop) -> None:
    second = Offline(app, shop, shop.cashier)
    item = offline.item()
    answers: list[str] = []
    start = threading.Barrier(2)

    def send(till: Offline) -> None:
        start.wait()
        answers.extend(one["status"] for one in till.sync(item))

    threads = [threading.Thread(target=send, args=(till,)) for till in (offline, second)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert answers == ["applied", "applied"]
    assert shop.balance() == 112


def test_the_kept_page_is_the_same_for_everybody_and_names_nobody(offline: Offline, manager: Offline) -> None:
    pages = [one.client.get("/till/offline") for one in (offline, manager)]

    assert pages[0].data == pages[1].data
    assert "Cashier" not in pages[0].text
    assert "csrf" not in pages[0].text
    assert len(pages[0].data) < 150_000


def test_the_worker_may_serve_the_till_alone_and_changes_with_what_it_keeps(offline: Offline) -> None:
    answer = offline.client.get("/till/offline-worker.js")

    assert answer.headers["Service-Worker-Allowed"] == "/till"
    assert answer.mimetype == "text/javascript"
    other = offline.client.get("/till/offline-worker.js?lang=tr")
    assert other.text.splitlines()[0] != answer.text.splitlines()[0]


def test_the_state_holds_no_names_of_people(offline: Offline, shop: Shop) -> None:
    told = offline.client.get("/till/offline/state").json

    assert told["cashier"] == shop.cashier.public_id
    assert shop.cashier.name not in str(told)
    assert told["limit"] == 1_000_000


@pytest.fixture
def stamp_card(shop: Shop) -> StampCard:
    with shop.world.database.unit_of_work() as session:
        programme = session.get_one(Programme, shop.programme.id)
        texts = {"tr": {"name": "Kahve kartı", "reward": "Bir kahve"}}
        draft = StampCardDraft(programme=programme, name="Coffee card", reward="A coffee", size=10, texts=texts)
        made: StampCard = stamps.create(session, draft, by="staff:owner", now=shop.world.clock() - timedelta(days=1))
        return made


def stamp(offline: Offline, stamp_card: StampCard, **over: Any) -> dict[str, Any]:
    item = offline.item(kind="stamp", stamp_card=stamp_card.public_id, **over)
    del item["amount"]
    return item


def stamps_on(shop: Shop, stamp_card: StampCard) -> int:
    with shop.world.database.reading() as session:
        return held.by_id(session, shop.card.id).in_unit(stamp_card.unit)


def test_a_kept_stamp_is_given_once(offline: Offline, shop: Shop, stamp_card: StampCard) -> None:
    item = stamp(offline, stamp_card)

    assert offline.outcome(item) == offline.outcome(item) == [("applied", "")]

    assert stamps_on(shop, stamp_card) == 1
    assert last_entry(shop).note == "offline"
    offered = offline.client.get("/till/offline/state?lang=tr").json["stamp_cards"]
    assert offered == [{"id": stamp_card.public_id, "name": "Kahve kartı"}]


def test_a_store_may_give_no_stamps_without_a_connection(
    offline: Offline, manager: Offline, shop: Shop, stamp_card: StampCard
) -> None:
    manager.send("/till/offline/rules", points_per_day="0")  # the tick is not set

    assert offline.outcome(stamp(offline, stamp_card)) == [("refused", "stamps_not_allowed")]
    assert offline.client.get("/till/offline/state").json["stamp_cards"] == []
    (row,) = kept(shop)
    assert manager.send(f"/till/conflicts/{row.public_id}/accept").status_code == 303
    assert stamps_on(shop, stamp_card) == 1


def test_a_stamp_of_another_programme_s_card_is_refused(offline: Offline, shop: Shop) -> None:
    with shop.world.database.unit_of_work() as session:
        other = factories.programme(session, slug="other", name="Other")
        draft = StampCardDraft(programme=other, name="Theirs", reward="Theirs", size=5)
        foreign = stamps.create(session, draft, by="staff:owner", now=shop.world.clock() - timedelta(days=1))

    unheard = {**stamp(offline, foreign), "stamp_card": "stc_nothing"}
    (status, reason), (_, unknown) = offline.outcome(stamp(offline, foreign), unheard)

    assert (status, reason) == ("refused", "not_eligible")
    assert unknown == "unknown_stamp_card"
