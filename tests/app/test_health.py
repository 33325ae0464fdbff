"""Alive, ready with reasons, and figures that are right on both databases."""

import shutil
from datetime import timedelta
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import text
from sqlalchemy.orm import Session

from app import health
from app.cards.models import Card
from app.clock import milliseconds
from app.counter import service as counter
from app.counter.service import Actor, Sale
from app.delivery import book
from app.delivery.models import Node
from app.figures.books import LedgerCounts
from app.figures.collected import Figures
from app.outbox import service as outbox
from app.vault import Vault
from app.world import World
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
        counter.earn(session, card, sale, by=BY, now=world.clock())

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
    assert found["tessera_oldest_dirty_seconds", (("channel", "apple"),)] == 30


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


def test_a_scheduler_leads_while_its_beat_is_fresh(any_world: World, clock: MovableClock) -> None:
    before = figures(any_world)["tessera_scheduler_is_leader", ()]
    with any_world.database.unit_of_work() as session:
        session.add(Node(name="a:1", role="delivery", started_at=clock(), beat_at=clock()))
    during = figures(any_world)["tessera_scheduler_is_leader", ()]
    clock.advance(seconds=31)

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
    assert "tessera_figures_unread 5.0" in answer.text


def test_metrics_name_what_is_promised(client: FlaskClient, world: World) -> None:
    answer = client.get("/metrics").text

    for name in (
        "tessera_passes_built_total", "tessera_pass_build_seconds", "tessera_push_total", "tessera_cards_behind",
        "tessera_delivery_lag_seconds", "tessera_transactions_total", "tessera_certificate_expiry_seconds",
        "tessera_http_requests_total", "tessera_scheduler_is_leader",
    ):  # fmt: skip
        assert f"# TYPE {name} " in answer, name
