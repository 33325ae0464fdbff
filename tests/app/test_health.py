"""Alive, ready with reasons, and figures that are right on both databases."""

import re
import shutil
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from prometheus_client.core import REGISTRY, Metric
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import text, update
from sqlalchemy.orm import Session

from app import health
from app.cards.models import Card, Programme
from app.clock import milliseconds
from app.counter import sales
from app.counter.moves import Actor
from app.counter.pricing import Sale
from app.delivery import book, counting, snapshots
from app.delivery.models import Node
from app.figures.books import LedgerCounts
from app.figures.collected import Figures
from app.gate import Gate, Priority
from app.offers import service as offers
from app.offers.models import Occurrence
from app.offers.service import OfferDraft
from app.outbox import service as outbox
from app.outbox.claims import Claim, Claimed, SenderRef
from app.outbox.models import Target
from app.outbox.rules import Lane
from app.vault import Vault
from app.wallets.channel import Errand, Result
from app.world import World
from passes.outcome import Outcome
from tests import factories
from tests.app.api.conftest import make_app
from tests.authority import Authority
from tests.conftest import MovableClock

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]
BY = Actor(name="staff:x", channel="till")


def figures(world: World) -> Samples:
    families = text_string_to_metric_families(Figures().text(world).decode())
    return {(one.name, tuple(sorted(one.labels.items()))): one.value for family in families for one in family.samples}


def earn(world: World, card_id: int, minor: int = 1_000) -> None:
    def work(session: Session) -> None:
        card, sale = session.get_one(Card, card_id), Sale(amount_minor=minor, currency="TRY")
        sales.earn(session, card, sale, by=BY, now=world.clock())

    world.database.transact(work)


@pytest.fixture
def card_id(any_world: World) -> int:
    with any_world.database.unit_of_work() as session:
        return factories.card(session, factories.programme(session)).id


def test_alive_says_so_without_touching_anything(world: World) -> None:
    world.database.close()
    Path(world.settings.database_url.removeprefix("sqlite:///")).unlink()

    answer = make_app(world).test_client().get("/healthz")

    assert (answer.status_code, answer.get_json()) == (200, {"status": "alive"})


def test_a_service_that_can_work_is_ready(any_world: World, card_id: int) -> None:
    answer = make_app(any_world).test_client().get("/readyz")

    assert (answer.status_code, answer.get_json()) == (200, {"status": "ready", "problems": []})


def test_a_database_of_another_shape_is_not_ready(any_world: World) -> None:
    with any_world.database.unit_of_work() as session:
        session.execute(text("UPDATE alembic_version SET version_num = 'older'"))

    answer = make_app(any_world).test_client().get("/readyz")

    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert "tessera migrate" in answer.get_json()["problems"][0]


def test_a_database_that_another_holds_is_not_ready_and_is_again_afterwards(world: World) -> None:
    readiness = health.Readiness()
    with world.database.unit_of_work() as session:
        session.execute(text("UPDATE node SET role = role"))
        found = readiness.problems(world)

    assert "within 1 s" in found[0]
    assert readiness.problems(world) == []


def test_a_database_that_is_gone_is_not_ready(world: World) -> None:
    world.database.close()
    shutil.rmtree(Path(world.settings.database_url.removeprefix("sqlite:///")).parent)

    found = health.Readiness().problems(world)

    assert any("cannot be written" in one for one in found)


def test_another_secret_than_the_databases_is_not_ready(any_world: World, card_id: int) -> None:
    wrong = World(
        settings=any_world.settings, database=any_world.database, clock=any_world.clock, vault=Vault("other" * 10)
    )

    assert any("TESSERA_SECRET_KEY" in one for one in health.Readiness().problems(wrong))


def test_a_missing_certificate_does_not_make_the_till_unready(client: FlaskClient, world: World) -> None:
    with world.database.unit_of_work() as session:
        factories.programme(session)

    assert client.get("/readyz").status_code == 200


def test_transactions_are_counted_by_kind(any_world: World, card_id: int, clock: MovableClock) -> None:
    counts = LedgerCounts()

    def counted() -> dict[str, int]:
        with any_world.database.reading() as session:
            return counts.by_kind(session, clock())

    assert counted() == {"earn": 0, "spend": 0, "offer": 0, "reverse": 0}
    for _ in range(3):
        earn(any_world, card_id)
        clock.advance(minutes=4)
    assert counted()["earn"] == 3
    clock.advance(hours=1)
    earn(any_world, card_id)
    assert counted()["earn"] == 4
    assert figures(any_world)["tessera_transactions_total", (("kind", "earn"),)] == 4


def test_cards_that_wait_for_their_wallet_are_counted_once_each(
    any_world: World, card_id: int, clock: MovableClock
) -> None:
    with any_world.database.unit_of_work() as session:
        sender = outbox.sender_for(session, "apple", "pass.com.example.kahve")
        for device in (1, 2):
            outbox.ensure_target(
                session, channel="apple", sender_id=sender.id, card_id=card_id, address_id=device, want=1, done=1,
                now_ms=milliseconds(clock()),
            )  # fmt: skip
    assert figures(any_world)["tessera_cards_behind", (("channel", "apple"),)] == 0

    earn(any_world, card_id)
    clock.advance(seconds=30)

    found = figures(any_world)
    assert found["tessera_cards_behind", (("channel", "apple"),)] == 1
    assert found["tessera_oldest_dirty_seconds", (("channel", "apple"), ("lane", "urgent"))] == 30
    assert found["tessera_targets_dirty", (("channel", "apple"), ("lane", "urgent"))] == 2


def test_what_delivery_did_is_told_as_counts_and_a_histogram(any_world: World) -> None:
    lag = {("lag", "0", "0.5"): 4, ("lag", "0", "2"): 3, ("lag_sum", "0", ""): 5000}
    counts = {("push", "apple", "delivered"): 7, **lag}
    with any_world.database.unit_of_work() as session:
        book.add(session, counts)

    found = figures(any_world)

    assert found["tessera_push_total", (("channel", "apple"), ("outcome", "delivered"))] == 7
    lane = ("lane", "urgent")
    buckets = [found["tessera_delivery_lag_seconds_bucket", (lane, ("le", le))] for le in ("0.5", "1.0", "2.0", "+Inf")]
    assert buckets == [4, 4, 7, 7]
    assert found["tessera_delivery_lag_seconds_sum", (lane,)] == 5
    assert found["tessera_delivery_lag_seconds_count", (lane,)] == 7


def test_requests_turned_away_at_the_gate_of_writers_are_counted(world: World, tmp_path: Path) -> None:
    app = make_app(world)
    gate = Gate(str(tmp_path / "busy.db"), timeout_s=0.05)

    @app.get("/api/v1/write")
    def write() -> str:
        with gate.turn(Priority.WEB):
            return "written"

    before = sample("tessera_db_busy_total")
    with gate.turn(Priority.WORKER), ThreadPoolExecutor(1) as pool:
        refused = pool.submit(lambda: app.test_client().get("/api/v1/write")).result()
    written = app.test_client().get("/api/v1/write")
    gate.close()

    assert (refused.status_code, refused.headers["Retry-After"], written.status_code) == (503, "2", 200)
    assert sample("tessera_db_busy_total") == before + 1


def sample(name: str) -> float:
    return REGISTRY.get_sample_value(name) or 0.0


def test_a_scheduler_leads_while_its_beat_is_fresh(any_world: World, clock: MovableClock) -> None:
    before = figures(any_world)["tessera_scheduler_is_leader", ()]
    with any_world.database.unit_of_work() as session:
        session.add(Node(name="a:1", role="delivery", started_at=clock(), beat_at=clock()))
    during = figures(any_world)["tessera_scheduler_is_leader", ()]
    clock.advance(seconds=61)

    assert (before, during, figures(any_world)["tessera_scheduler_is_leader", ()]) == (0, 1, 0)


def test_a_certificate_says_how_long_it_lasts(world: World, clock: MovableClock) -> None:
    with world.database.unit_of_work() as session:
        used = factories.programme(session)
        factories.programme(session, slug="bare", pass_type_identifier="pass.com.example.bare")
    start, end = clock() - timedelta(days=1), clock() + timedelta(days=30)
    issued = Authority().issue_pass_certificate(used.pass_type_identifier, used.team_identifier, start, end)
    folder = world.settings.certs_dir / used.pass_type_identifier
    folder.mkdir(parents=True)
    (folder / "certificate.pem").write_bytes(issued.certificate_pem)
    (folder / "key.pem").write_bytes(issued.key_pem)
    (folder / "wwdr.pem").write_bytes(issued.intermediate_pem)

    found = {labels: value for (name, labels), value in figures(world).items() if "certificate" in name}

    assert found == {(("pass_type", used.pass_type_identifier),): 30 * 86_400}


def test_metrics_are_answered_when_the_database_is_gone(world: World) -> None:
    client = make_app(world).test_client()
    client.get("/healthz")
    world.database.close()
    shutil.rmtree(Path(world.settings.database_url.removeprefix("sqlite:///")).parent)

    answer = client.get("/metrics")

    assert answer.status_code == 200
    assert "tessera_http_requests_total{" in answer.text
    assert "tessera_figures_unread 9.0" in answer.text
    assert "tessera_disk_free_bytes " in answer.text


PROMISED = (
    "passes_built_total", "pass_build_seconds", "push_total", "cards_behind", "delivery_lag_seconds",
    "transactions_total", "certificate_expiry_seconds", "http_requests_total", "scheduler_is_leader", "targets_dirty",
    "oldest_dirty_seconds", "commit_to_send_seconds", "send_seconds", "sends_total", "duplicates_total",
    "hints_sent_total", "hints_failed_total", "hints_expired_total", "sweep_found_total", "fetched_lag_seconds",
    "offers_late_seconds", "offers_missed_total", "breaker_open", "rate_wait_seconds", "campaign_left",
    "want_not_version", "ledger_mismatch", "db_busy_total", "dead_rows", "oldest_snapshot_seconds", "wal_bytes",
    "credential_days_left", "backup_age_seconds", "node_beat_age_seconds", "disk_free_bytes", "http_request_seconds",
)  # fmt: skip


@pytest.mark.parametrize("name", PROMISED)
def test_metrics_name_what_is_promised(client: FlaskClient, world: World, name: str) -> None:
    assert f"# TYPE tessera_{name} " in client.get("/metrics").text


def test_every_family_of_ours_is_named_by_prometheus_rules_and_said_in_the_readme(client: FlaskClient) -> None:
    client.get("/healthz")
    families = list(text_string_to_metric_families(client.get("/metrics").text))
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    ours = [one for one in families if one.name.startswith("tessera_") and not one.name.endswith("_created")]

    assert len(ours) > 40
    assert [one.name for one in ours if f"`{_in_readme(one)}`" not in readme] == []
    assert [one.name for one in ours if not one.documentation] == []
    assert [one.name for one in ours if re.search(r"_(ms|minutes|hours|kb|mb|percent)$", one.name)] == []


def _in_readme(family: Metric) -> str:
    return f"{family.name}_total" if family.type == "counter" else family.name


def test_labels_have_few_values_whatever_a_vendor_answers(any_world: World, card_id: int, clock: MovableClock) -> None:
    target = Claimed(
        id=1, card_id=card_id, address_id=1, want=2, done=1, attempts=1, dirty_since=0, trace="t", not_before=0
    )
    claim = Claim(
        channel="apple", sender=SenderRef(1, "apple", "pass.x"), lane=Lane.URGENT, lease="x", claimed_ms=0,
        send_until_ms=0, rows=[target],
    )  # fmt: skip
    errand = Errand(claim=claim, target=target, version=2, payload=None)
    results = [
        Result(errand=errand, outcome=Outcome.REFUSED, status=400 + number % 3, reason=f"Nonsense{number}")
        for number in range(200)
    ]
    with any_world.database.unit_of_work() as session:
        book.add(session, counting.of(claim, [], results, now_ms=1_000))

    names = {labels for name, labels in figures(any_world) if name == "tessera_sends_total"}

    assert {dict(one)["reason"] for one in names} == {"400", "401", "402"}


def test_what_a_phone_fetched_is_counted_once(any_world: World, card_id: int, clock: MovableClock) -> None:
    told_ms = milliseconds(clock())
    with any_world.database.unit_of_work() as session:
        sender = outbox.sender_for(session, "apple", "pass.com.example.kahve")
        made = outbox.ensure_target(
            session, channel="apple", sender_id=sender.id, card_id=card_id, address_id=1, want=1, done=1, now_ms=told_ms
        )
        made.told_at = told_ms
    snapshots.take(any_world)
    clock.advance(seconds=4)
    with any_world.database.unit_of_work() as session:
        session.execute(update(Target).values(fetched_at=milliseconds(clock())))
    for _ in range(3):
        clock.advance(minutes=5)
        snapshots.take(any_world)

    found = figures(any_world)

    assert found["tessera_fetched_lag_seconds_count", ()] == 1
    assert found["tessera_fetched_lag_seconds_sum", ()] == 4
    assert found["tessera_fetched_lag_seconds_bucket", (("le", "5.0"),)] == 1
    assert found["tessera_fetched_lag_seconds_bucket", (("le", "2.0"),)] == 0


def test_expensive_figures_are_not_read_again_at_each_scrape(world: World, clock: MovableClock) -> None:
    with world.database.unit_of_work() as session:
        programme = factories.programme(session)
        programme_id = programme.id
    scraped = Figures()
    scraped.text(world)
    with world.database.unit_of_work() as session:
        draft = OfferDraft(
            programme=session.get_one(Programme, programme_id), title="Cake", body="Free", texts={},
            starts_at=clock() + timedelta(hours=1), ends_at=clock() + timedelta(hours=2), timezone="UTC", tier=None,
        )  # fmt: skip
        offers.create(session, draft, by="test", now=clock())
        session.execute(update(Occurrence).values(status="missed", fired_at=clock()))

    assert b"tessera_offers_missed_total 0.0" in scraped.text(world)
    assert b"tessera_offers_missed_total 2.0" in Figures().text(world)
