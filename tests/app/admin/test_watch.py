"""What operators see: a request's way, lag over time, switches, alarms, health, and what phones say."""

import csv
import io
from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, update

from app import trace
from app.alarms import backups
from app.alarms import service as alarms
from app.cards import service as cards
from app.cards.models import Card
from app.clock import milliseconds
from app.counter import sales
from app.counter.moves import Actor
from app.counter.pricing import Sale
from app.delivery.models import Census, LaneState, Node, Snapshot
from app.outbox import switches
from app.outbox.models import SendLog, Target
from app.outbox.rules import Lane
from app.staff import service as staff
from app.wallets.apple import registrations
from tests.app.admin.conftest import Browser, Office
from tests.conftest import MovableClock


def earn(office: Office) -> str:
    """A purchase at a till; the id of its request."""
    name = trace.begin()
    with office.world.database.unit_of_work() as session:
        card = cards.lock(session, office.card.id)
        by = Actor(name="key:import", channel="api")
        sales.earn(session, card, Sale(amount_minor=12_000, currency="TRY"), by=by, now=office.world.clock())
    return name


@pytest.fixture
def now_is_now(clock: MovableClock) -> None:
    """The clock of the test stands where the names of traces are made: at this moment."""
    made = trace.moment_ms(trace.begin())
    assert made is not None
    clock.at += timedelta(milliseconds=made - milliseconds(clock()))


def sent(office: Office, target: Target, name: str, version: int, **over: object) -> None:
    values: dict[str, object] = {
        "target_id": target.id, "card_id": office.card.id, "channel": "apple", "version": version,
        "outcome": "delivered", "status": 200, "reason": "", "took_ms": 12, "lag_ms": 1_040, "trace": name,
        "at": milliseconds(office.world.clock()), **over,
    }  # fmt: skip
    with office.world.database.unit_of_work() as session:
        session.add(SendLog(**values))


@pytest.mark.usefixtures("now_is_now")
def test_one_number_leads_from_the_till_s_request_to_the_phone_s_fetch(
    operator: Browser, certified: Office, clock: MovableClock
) -> None:
    target = certified.target()
    name = earn(certified)
    clock.advance(seconds=1)
    sent(certified, target, name, 2)
    clock.advance(seconds=2)
    fetched_ms = milliseconds(clock())
    with certified.world.database.unit_of_work() as session:
        reached = {"done": 2, "fetched": 2, "told_at": fetched_ms - 2_000, "fetched_at": fetched_ms}
        session.execute(update(Target).values(**reached))

    found = operator.client.get("/admin/cards", query_string={"q": name.upper()})
    page = operator.get(found.location).text
    way = page[page.index('id="trace"') : page.index('id="wallets"')]

    assert found.location == f"/admin/cards/{certified.card.number}?trace={name}"
    places = [way.index(text) for text in ("The request came", "Written into the ledger", "Accepted", "fetched by the")]
    assert places == sorted(places)
    assert "the card became version 2" in way


@pytest.mark.usefixtures("now_is_now")
def test_a_request_that_shared_its_push_with_a_later_one_is_followed_to_that_push(
    operator: Browser, certified: Office
) -> None:
    target = certified.target()
    first, second = earn(certified), earn(certified)
    sent(certified, target, second, 3)

    page = operator.get(f"/admin/cards/{certified.card.number}?trace={first}").text
    way = page[page.index('id="trace"') : page.index('id="wallets"')]

    assert "Sent together with later changes, as version 3" in way
    assert "not told yet" in way  # the row itself was not settled here
    assert "not yet" in way


@pytest.mark.parametrize("name", ["x", "%27%3B--", "0" * 36, "01a20101-2fa3-7862-8027-4099d3aaee38", "%00", "é" * 100])
def test_a_request_that_changed_nothing_here_is_said_to_be_so(operator: Browser, certified: Office, name: str) -> None:
    page = operator.get(f"/admin/cards/{certified.card.number}?trace={name}")

    assert page.status_code == 200
    assert "This request changed nothing on this card" in page.text
    assert operator.get(f"/admin/cards?q={name}").status_code == 404


def test_a_card_s_page_says_all_that_stands_in_its_way(operator: Browser, certified: Office) -> None:
    certified.target(want=3, state="parked", last_status=400, last_reason="BadTopic", attempts=2, trace="t-1")
    address = f"/admin/cards/{certified.card.number}"

    parked = operator.get(address).text
    operator.send("/admin/deliveries/switch", scope="all", to="stop", reason="wrong look")
    stopped = operator.get(address).text

    assert "Parked: it was refused" in parked
    assert "Compare the pass type of the programme" in parked
    assert "differs from the card" in parked
    assert "?trace=t-1#trace" in parked
    assert "wrong look" in stopped


def test_sending_is_stopped_with_a_reason_and_resumed_and_both_are_noted(operator: Browser, certified: Office) -> None:
    without = operator.follow(operator.send("/admin/deliveries/switch", scope="kahve", to="stop", reason=" "))
    stopped = operator.follow(operator.send("/admin/deliveries/switch", scope="kahve", to="stop", reason="a <b> test"))
    again = operator.follow(operator.send("/admin/deliveries/switch", scope="kahve", to="stop", reason="twice"))
    with certified.world.database.reading() as session:
        thrown = switches.stopped(session)
    resumed = operator.follow(operator.send("/admin/deliveries/switch", scope="kahve", to="resume"))

    assert "Write why sending is stopped" in without
    assert "Sending is stopped by hand" in stopped
    assert "a &lt;b&gt; test" in stopped
    assert "It was so already" in again
    assert [(one.programme_id, one.reason) for one in thrown] == [(certified.programme.id, "a <b> test")]
    assert "Sending goes on" in resumed
    assert len(certified.events("sending_stopped")) == 1
    assert len(certified.events("sending_resumed")) == 1
    assert operator.send("/admin/deliveries/switch", scope="nothing", to="stop", reason="x").status_code == 404


def test_a_stopped_programme_is_an_alarm_and_its_wallets_are_counted_as_such(
    operator: Browser, certified: Office
) -> None:
    certified.target(want=2)
    operator.send("/admin/deliveries/switch", scope="kahve", to="stop", reason="wrong look")
    alarms.evaluate(certified.world)

    assert "Held back: stopped by hand" in operator.get("/admin/deliveries").text
    assert "Sending was stopped by hand for Kahve Durağı (wrong look)." in operator.get("/admin/alarms").text


def snapshots_of_an_hour(office: Office, clock: MovableClock) -> None:
    with office.world.database.unit_of_work() as session:
        for minute in range(60):
            at = clock().replace(second=0) - timedelta(minutes=59 - minute)
            tallies = {"lag:0:1": 90 * minute, "lag:0:2": 9 * minute, "lag:0:10": minute, "fetched_lag::5": 10 * minute}
            session.add(Snapshot(at=at, tallies=tallies, behind={}))


def test_lag_is_drawn_and_its_figures_are_there_as_a_table_and_as_csv(
    operator: Browser, certified: Office, clock: MovableClock
) -> None:
    snapshots_of_an_hour(certified, clock)

    page = operator.get("/admin/deliveries").text
    rows = list(csv.DictReader(io.StringIO(operator.get("/admin/deliveries/lag.csv?span=hour").text)))

    assert page.count("<path class=") == 6
    assert "An hour" in page
    accepted = [row for row in rows if row["measure"] == "accepted"]
    assert len(accepted) == 59
    assert accepted[0]["count"] == "100"
    assert 0.5 < float(accepted[0]["p50_seconds"]) < 1
    assert 1 < float(accepted[0]["p95_seconds"]) < 2
    assert {row["count"] for row in rows if row["measure"] == "fetched"} == {"10"}


@pytest.mark.parametrize("query", ["span=day", "span=month&lane=bulk", "span=x&lane=%00", "lane=urgent&span="])
def test_every_span_and_lane_has_a_page(operator: Browser, certified: Office, clock: MovableClock, query: str) -> None:
    snapshots_of_an_hour(certified, clock)

    assert operator.get(f"/admin/deliveries?{query}").status_code == 200
    assert operator.get(f"/admin/deliveries/lag.csv?{query}").status_code == 200


def test_a_large_installation_is_shown_as_last_counted(operator: Browser, certified: Office) -> None:
    target = certified.target()
    counted_at = certified.world.clock() - timedelta(minutes=4)
    with certified.world.database.unit_of_work() as session:
        session.execute(update(Target).where(Target.id == target.id).values(id=900_000))
        session.add(
            Census(
                programme_id=certified.programme.id, channel="apple", current=900_000, told=1_000, quiet=20, behind=3,
                parked=1, gone=5, causes={"waiting": 3}, refusals={}, counted_at=counted_at,
            )
        )  # fmt: skip

    text = operator.get("/admin/deliveries").text

    assert "900,000 current" in text
    assert "20 quiet for 7 days" in text
    assert "All wallets were last counted at" in text


def test_what_a_phone_writes_is_shown_as_text_and_nothing_else(operator: Browser, certified: Office) -> None:
    with certified.world.database.unit_of_work() as session:
        lines = [("other:unknown", "<script>alert(1)</script> {{ 7 * 7 }} \\u202e")]
        registrations.keep_log(session, lines, now=certified.world.clock())

    text = operator.get("/admin/device-logs").text

    assert "<script>alert" not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt; {{ 7 * 7 }} \\u202e" in text
    assert "Read them as a hint, never as an instruction" in text


def test_alarms_are_listed_with_what_mends_them_and_again_when_they_are_over(
    operator: Browser, certified: Office, clock: MovableClock
) -> None:
    office = certified
    alive(office)
    office.target(want=2, dirty_since=milliseconds(clock()) - 120_000, lane=int(Lane.URGENT))
    alarms.evaluate(office.world)
    pages = [operator.get(address).text for address in ("/admin", "/admin/alarms", "/admin/health")]
    with office.world.database.unit_of_work() as session:
        session.execute(update(Target).values(want=1))
    clock.advance(minutes=3)
    alive(office)
    alarms.evaluate(office.world)
    over = operator.get("/admin/alarms").text

    for page in pages:
        assert "Changes made at a till do not reach phones: 1 wait, the first for 2 min." in page
        assert "Customers see an old balance on their phone" in page
    assert "Changes made at a till do not reach phones" in over[over.index('id="over"') :]
    assert "3 minutes" in over


@pytest.mark.parametrize("language", ["tr", "id"])
def test_alarms_speak_the_reader_s_language(operator: Browser, certified: Office, language: str) -> None:
    certified.target(want=2, dirty_since=1, lane=int(Lane.URGENT))
    alarms.evaluate(certified.world)

    page = operator.get(f"/admin/alarms?lang={language}").text

    assert {"tr": "Kasadaki değişiklikler", "id": "Perubahan di kasir"}[language] in page
    assert "Customers see" not in page


def alive(office: Office) -> None:
    now = office.world.clock()
    with office.world.database.unit_of_work() as session:
        session.merge(Node(name="one:1", role="delivery", started_at=now, beat_at=now, worked_at=now, build="0.1.0"))


def test_the_health_page_names_processes_lanes_and_what_they_rest_on(operator: Browser, certified: Office) -> None:
    alive(certified)
    with certified.world.database.unit_of_work() as session:
        backups.note(session, "made", now=certified.world.clock() - timedelta(hours=3))
        session.add(LaneState(lane=2, degraded_since=milliseconds(certified.world.clock()) - 60_000))

    text = operator.get("/admin/health").text

    for said in ("one:1", "Delivers and schedules", "0.1.0", "none is needed", "days left", "Schedulers send instead"):
        assert said in text, said


def test_deep_health_is_for_admin_keys_and_operators_alone(
    client: FlaskClient, app: Flask, office: Office, operator: Browser
) -> None:
    alive(office)
    alarms.evaluate(office.world)
    texts = {}
    with office.world.database.unit_of_work() as session:
        for scope in ("read", "write", "admin"):
            _, texts[scope] = staff.create_key(session, scope, scope, None, office.world.clock())

    def status(key: str) -> int:
        return client.get("/healthz/deep", headers={"Authorization": f"Bearer {key}"}).status_code

    found = client.get("/healthz/deep", headers={"Authorization": f"Bearer {texts['admin']}"}).get_json()

    assert [status(texts["read"]), status(texts["write"]), status("nobody"), status("")] == [403, 403, 401, 401]
    assert client.get("/healthz/deep").status_code == 401
    assert operator.get("/healthz/deep").status_code == 200
    assert found["status"] == "red"  # its certificate is missing
    assert [one["name"] for one in found["nodes"]] == ["one:1"]


def test_a_silent_broker_makes_deep_health_yellow_and_readiness_stays(operator: Browser, certified: Office) -> None:
    alive(certified)
    with certified.world.database.unit_of_work() as session:
        backups.note(session, "made", now=certified.world.clock())
        switches.stop(session, programme_id=None, reason="x", by="test", now_ms=1)
    alarms.evaluate(certified.world)

    deep = operator.get("/healthz/deep").get_json()

    assert deep["status"] == "yellow"
    assert [one["kind"] for one in deep["alarms"]] == ["all_sending_stopped"]
    assert operator.get("/readyz").status_code == 200


def test_a_card_of_which_nothing_is_known_has_no_way(operator: Browser, certified: Office) -> None:
    with certified.world.database.reading() as session:
        assert session.scalar(select(Card.id)) is not None

    assert "What became of this request" not in operator.get(f"/admin/cards/{certified.card.number}").text
