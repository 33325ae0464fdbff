"""All phones at once: who is served, who is sent away, and that a till finds a thread meanwhile."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from prometheus_client import REGISTRY
from sqlalchemy import select, text

from app.cards import service as cards
from app.cards.models import Card, Programme
from app.db import Database
from app.offers import service as offers
from app.offers.models import Offer
from app.offers.service import OfferDraft
from app.outbox.service import Lane
from app.wallets.apple import access, add, changes, issues
from app.wallets.apple.issuer import FactsCache, issuer
from app.wallets.apple.limits import Limit
from app.wallets.apple.models import Issue, PhoneLimit
from app.wallets.apple.places import Places
from app.world import World
from tests import factories
from tests.app.wallets.apple.conftest import (
    PASS_TYPE,
    Caller,
    list_path,
    pass_path,
    registration_body,
    registration_path,
)
from tests.app.wallets.apple.test_add import pass_of
from tests.conftest import MovableClock, open_test_world, settings_for
from tests.journeys.stage import wait_for

Tokens = Callable[[Card], str]


@contextmanager
def all_taken(places: Places) -> Iterator[None]:
    """Every seat is taken and the waiting room is full, until the block ends."""
    over = threading.Event()
    inside = threading.Semaphore(0)

    def sit() -> None:
        with places:
            inside.release()
            over.wait(20)

    people = [threading.Thread(target=sit) for _ in range(places.seats + places.waiting)]
    for one in people:
        one.start()
    for _ in range(places.seats):
        assert inside.acquire(timeout=5)
    wait_for(lambda: len(places._queue) == places.waiting)
    try:
        yield
    finally:
        over.set()
        for one in people:
            one.join(20)


def test_a_full_house_sends_phones_away_at_once_and_serves_everybody_else(
    call: Caller, card: Card, token_of: Tokens, world: World
) -> None:
    call("POST", registration_path(card), registration_body(), Authorization=token_of(card))

    with all_taken(issuer(world).places):
        fetch = call("GET", pass_path(card), Authorization=token_of(card))
        changed = call("GET", list_path())
        other = call("GET", "/apple/v1/somewhere")
        log = call("POST", "/apple/v1/log", b"{}")

    assert {(one.status, one.headers["Retry-After"]) for one in (fetch, changed)} == {(503, "5")}
    assert fetch.json["code"] == "too_many_passes"
    assert fetch.headers["Content-Type"] == "application/problem+json"
    assert (other.status, log.status) == (404, 200)
    assert call("GET", pass_path(card), Authorization=token_of(card)).status == 200
    assert call("GET", list_path()).status == 200


def test_what_is_answered_before_the_pages_is_counted_and_timed_like_them(
    call: Caller, card: Card, token_of: Tokens, world: World
) -> None:
    def counted(endpoint: str, status: str) -> tuple[float, float, float]:
        labels = {"method": "GET", "endpoint": endpoint, "status": status}
        found = (
            REGISTRY.get_sample_value("tessera_http_requests_total", labels),
            REGISTRY.get_sample_value("tessera_http_request_seconds_count", {"endpoint": endpoint}),
            REGISTRY.get_sample_value("tessera_db_busy_total"),
        )
        return found[0] or 0.0, found[1] or 0.0, found[2] or 0.0

    before = {status: counted("apple.fetch", status) for status in ("200", "503")}
    listed = counted("apple.changed", "204")

    call("GET", list_path())
    fetched = call("GET", pass_path(card), Authorization=token_of(card))
    with world.database.unit_of_work() as session:
        session.execute(text("ALTER TABLE card RENAME TO card_elsewhere"))
    broken = call("GET", pass_path(card), Authorization=token_of(card))

    after = {status: counted("apple.fetch", status) for status in ("200", "503")}
    assert (fetched.status, broken.status) == (200, 503)
    for status in ("200", "503"):
        grown = [now - then for now, then in zip(after[status], before[status], strict=True)]
        assert grown == [1, 2, 1]
    assert counted("apple.changed", "204")[:2] == (listed[0] + 1, listed[1] + 1)


def test_phones_never_get_all_threads_of_the_server(world: World) -> None:
    assert 1 <= issuer(world).places.seats < world.settings.web_threads


def test_whoever_waits_is_served_when_a_seat_is_free(world: World) -> None:
    places = Places(seats=1, waiting=1)
    served = threading.Event()

    def wait() -> None:
        with places:
            served.set()

    with places:
        waiting = threading.Thread(target=wait)
        waiting.start()
        assert not served.is_set()
    waiting.join(5)

    assert served.is_set()


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS"])
def test_another_method_is_405_with_the_ones_that_are_taken(method: str, call: Caller, card: Card) -> None:
    answer = call(method, pass_path(card))

    assert (answer.status, answer.headers["Allow"]) == (405, "GET, HEAD")


def test_a_database_that_is_away_is_503_and_not_500(call: Caller, card: Card, token_of: Tokens, world: World) -> None:
    with world.database.unit_of_work() as session:
        session.connection().exec_driver_sql("ALTER TABLE card RENAME TO away")
    issuer(world).archives = type(issuer(world).archives)()

    answer = call("GET", pass_path(card), Authorization=token_of(card))

    assert (answer.status, answer.json["code"]) == (503, "busy")
    assert answer.headers["Retry-After"]


def test_answers_carry_the_headers_of_all_others(call: Caller, card: Card, token_of: Tokens) -> None:
    answer = call("GET", pass_path(card), Authorization=token_of(card))

    assert answer.headers["X-Request-Id"]
    assert answer.headers["X-Frame-Options"] == "DENY"
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]


def test_a_device_that_asks_too_often_is_told_so_and_others_are_not(
    call: Caller, card: Card, token_of: Tokens, clock: MovableClock
) -> None:
    for device in ("busy", "calm"):
        body = registration_body("ab" * 32 if device == "busy" else "cd" * 32)
        call("POST", registration_path(card, device), body, Authorization=token_of(card))

    statuses = [call("GET", list_path("busy")).status for _ in range(332)]

    assert statuses.count(200) == 330  # the limit, and the block that each process grants by itself
    assert statuses[-1] == 429
    assert call("GET", list_path("calm")).status == 200
    clock.advance(minutes=2)
    assert call("GET", list_path("busy")).status == 200


def test_whoever_guesses_device_ids_is_stopped_by_address(call: Caller) -> None:
    statuses = [call("GET", list_path(f"guess-{number}")).status for number in range(140)]

    assert (statuses[0], statuses[-1]) == (204, 429)


def test_a_limit_holds_for_two_processes_together(any_world: World, clock: MovableClock) -> None:
    one, other = (Limit("log", 10, timedelta(minutes=1)) for _ in range(2))

    granted = [each.take(any_world, "somebody") for _ in range(10) for each in (one, other)]
    clock.advance(minutes=1)

    assert granted == [True] * 10 + [False] * 10
    assert one.take(any_world, "somebody")
    assert other.take(any_world, "somebody else")


def test_a_phone_that_behaves_costs_no_write_and_a_flood_one_for_each_block(any_world: World) -> None:
    limit = Limit("list", 300, timedelta(minutes=1), block=30)

    def uses() -> list[int]:
        with any_world.database.reading() as session:
            return list(session.scalars(select(PhoneLimit.used)))

    calm = [limit.take(any_world, "phone") for _ in range(30)]
    before = uses()
    flood = [limit.take(any_world, "phone") for _ in range(1000)]

    assert all(calm)
    assert before == []
    assert flood.count(True) == 300
    assert uses() == [330]  # the last block was refused, and nothing was asked after it


def test_counts_that_are_over_are_swept(any_world: World, clock: MovableClock) -> None:
    limit = Limit("log", 10, timedelta(minutes=1))
    limit.take(any_world, "somebody")
    clock.advance(hours=3)
    limit.take(any_world, "somebody else")

    with any_world.database.reading() as session:
        assert len(session.scalars(select(PhoneLimit)).all()) == 1


def test_the_oldest_version_handed_out_within_the_hour_counts_in_every_process(
    any_world: World, clock: MovableClock
) -> None:
    with any_world.database.unit_of_work() as session:
        card = factories.card(session, factories.programme(session))

    def oldest() -> int | None:
        with any_world.database.reading() as session:
            return issues.oldest(session, card.id, clock())

    issues.note(any_world.database, card.id, 3, "", clock())
    clock.advance(minutes=30)
    issues.note(any_world.database, card.id, 4, "", clock())
    within = oldest()
    clock.advance(minutes=31)
    later = oldest()
    issues.note(any_world.database, card.id, 5, "", clock())

    assert (within, later, oldest()) == (3, None, 5)
    with any_world.database.reading() as session:
        assert len(session.scalars(select(Issue)).all()) == 1


def offer(world: World, title: str, *, lasts: timedelta = timedelta(hours=1)) -> None:
    now = world.clock()
    with world.database.unit_of_work() as session:
        programme = session.scalars(select(Programme)).one()
        draft = OfferDraft(
            programme=programme,
            title=title,
            body="",
            starts_at=now,
            ends_at=now + lasts,
            timezone="Europe/Istanbul",
        )
        offers.create(session, draft, by="test", now=now)
        offers.tick(session, now=now)


def touch(world: World, card: Card) -> None:
    with world.database.unit_of_work() as session:
        cards.touch(session, cards.lock(session, card.id), lane=Lane.URGENT, now=world.clock())


def shown(world: World, card: Card) -> str:
    return json.dumps(pass_of(add.signed_pass(world, card.id).content))


def test_a_version_is_never_drawn_from_what_cards_shared_before_it(world: World, card: Card) -> None:
    """Another process has kept the programme from before the offer; the card's next version must show the offer."""
    other = replace(world, database=Database(world.database.url, info=world.database.info))
    assert "Two for one" not in shown(other, card)

    offer(world, "Two for one")
    touch(world, card)

    assert "Two for one" in shown(other, card)
    with world.database.unit_of_work() as session:
        offers.cancel(session, session.scalars(select(Offer)).one(), now=world.clock())
    touch(world, card)
    assert "Two for one" not in shown(other, card)
    other.database.close()


def test_an_offer_whose_end_has_come_is_off_though_nobody_has_closed_it(
    world: World, card: Card, clock: MovableClock
) -> None:
    offer(world, "Two for one", lasts=timedelta(minutes=1))
    before = shown(world, card)
    clock.advance(minutes=1)

    assert "Two for one" in before
    assert "Two for one" not in shown(world, card)


def test_what_cards_share_is_read_once_for_a_revision(any_world: World) -> None:
    with any_world.database.unit_of_work() as session:
        programme = factories.programme(session)
    cache = FactsCache(any_world.database)

    first = cache.get(programme.id, 0)
    offer(any_world, "Two for one")
    kept = cache.get(programme.id, 0)
    with any_world.database.reading() as session:
        revision = session.get_one(Programme, programme.id).revision
    anew = cache.get(programme.id, revision)

    assert first is kept
    assert first is not anew
    assert [one.title for one in anew.opened] == ["Two for one"]
    assert cache.get(programme.id, revision) is anew


@pytest.mark.parametrize("lookup", [access._BY_SERIAL, changes._HELD])
def test_the_two_calls_find_their_rows_by_index(lookup: object, world: World) -> None:
    values = {"serial": "x", "pass_type": PASS_TYPE, "device": "x"}
    text, order, fixed = lookup._write(world.database.engine.dialect)  # type: ignore[attr-defined]
    with world.database.reading() as session:
        plan = session.connection().exec_driver_sql(
            f"EXPLAIN QUERY PLAN {text}", tuple({**values, **fixed}[name] for name in order)
        )
        steps = [row[3] for row in plan]

    assert steps
    assert all(step.startswith(("SEARCH", "CORRELATED SCALAR SUBQUERY", "CORRELATED LIST SUBQUERY")) for step in steps)


def test_a_reader_whose_connection_died_asks_anew(postgres_url: str, tmp_path: Path, clock: MovableClock) -> None:
    database = open_test_world(settings_for(postgres_url, tmp_path), clock).database
    with database.unit_of_work() as session:
        card = factories.card(session, factories.programme(session))
    issues.note(database, card.id, 1, "", clock())
    before = issues._KNOWN.one(database, card_id=card.id)
    with database.unit_of_work() as session:
        session.connection().exec_driver_sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE pid <> pg_backend_pid() AND datname = current_database()"
        )

    after = issues._KNOWN.one(database, card_id=card.id)
    database.close()

    assert before == after
    assert before is not None
