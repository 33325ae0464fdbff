"""Alarms are raised once, cleared once, told to webhooks, and said in words that mend."""

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from app.alarms import backups, conditions, service, words
from app.alarms.models import Alarm, BackupNote
from app.campaigns.models import Campaign, CampaignRun
from app.cards.models import Card, Programme
from app.clock import milliseconds
from app.delivery import snapshots
from app.delivery.models import LaneState, Node, Snapshot, Tally, Turn
from app.errors import Sentence
from app.ledger.models import Account
from app.offers import service as offers
from app.offers.models import Occurrence, Offer, OfferBudget, OfferBudgetUse
from app.offers.service import OfferDraft
from app.outbox import pace
from app.outbox import service as outbox
from app.outbox.models import Message, Sender, Target
from app.outbox.rules import Lane
from app.results.counts import Arm, Counts, Planned, as_json
from app.results.models import CampaignResult
from app.staff import audit
from app.wallets.apple import renewal
from app.webhooks import endpoints as webhooks
from app.webhooks.models import Endpoint, Event
from app.world import World
from tests import factories
from tests.app.admin.conftest import PASS_TYPE, TEAM, install_certificate
from tests.conftest import MovableClock, open_test_world

QUIET = {"no_scheduler", "no_worker", "disk_low"}


@pytest.fixture
def card(any_world: World) -> Card:
    """A healthy installation with one card on one phone, its certificate in place and a process that delivers."""
    with any_world.database.unit_of_work() as session:
        programme = factories.programme(session, pass_type_identifier=PASS_TYPE, team_identifier=TEAM)
        made = factories.card(session, programme)
        sender = outbox.sender_for(session, "apple", PASS_TYPE)
        outbox.ensure_target(
            session, channel="apple", sender_id=sender.id, card_id=made.id, address_id=1, want=1, done=1,
            now_ms=milliseconds(any_world.clock()),
        )  # fmt: skip
    install_certificate(any_world)
    beat(any_world)
    return made


def beat(world: World) -> None:
    with world.database.unit_of_work() as session:
        now = world.clock()
        session.merge(Node(name="one:1", role="delivery", started_at=now, beat_at=now, worked_at=now))


def open_kinds(world: World) -> set[str]:
    with world.database.reading() as session:
        return {one.kind for one in service.open_alarms(session)} - QUIET


def change(world: World, **values: object) -> None:
    with world.database.unit_of_work() as session:
        session.execute(update(Target).values(values))


def test_a_healthy_installation_raises_nothing(any_world: World, card: Card) -> None:
    service.evaluate(any_world)

    assert open_kinds(any_world) == set()


@pytest.mark.parametrize(
    ("lane", "seconds", "raised"),
    [
        (Lane.URGENT, 59, set()),
        (Lane.URGENT, 61, {"urgent_late"}),
        (Lane.NORMAL, 599, set()),
        (Lane.NORMAL, 601, {"normal_late"}),
        (Lane.BULK, 100_000, set()),
    ],
)
def test_what_waits_too_long_in_its_lane_is_an_alarm(
    any_world: World, card: Card, clock: MovableClock, lane: Lane, seconds: int, raised: set[str]
) -> None:
    with any_world.database.unit_of_work() as session:
        session.execute(update(Card).values(version=2))
    change(any_world, want=2, lane=int(lane), dirty_since=milliseconds(clock()) - seconds * 1000)

    service.evaluate(any_world)

    assert open_kinds(any_world) == raised


def test_an_alarm_is_raised_once_seen_again_and_cleared_once(any_world: World, card: Card, clock: MovableClock) -> None:
    change(any_world, want=2, lane=0, dirty_since=milliseconds(clock()) - 120_000)
    assert service.evaluate(any_world) == (1, 0)
    raised_at = clock()
    clock.advance(seconds=10)
    beat(any_world)
    assert service.evaluate(any_world) == (0, 0)
    change(any_world, want=1)
    clock.advance(seconds=10)

    assert service.evaluate(any_world) == (0, 1)
    assert service.evaluate(any_world) == (0, 0)
    with any_world.database.reading() as session:
        alarm = session.scalars(select(Alarm).where(Alarm.kind == "urgent_late")).one()
    assert (alarm.raised_at, alarm.cleared_at) == (raised_at, clock())
    assert alarm.last_seen_at == raised_at + timedelta(seconds=10)


def test_many_schedulers_raise_and_clear_each_thing_once(any_world: World, card: Card, clock: MovableClock) -> None:
    change(any_world, want=2, lane=0, dirty_since=milliseconds(clock()) - 120_000)
    others = [open_test_world(any_world.settings, clock) for _ in range(4)]
    counts: list[tuple[int, int]] = []

    def together() -> None:
        counts.clear()
        ready = threading.Barrier(len(others))

        def run(world: World) -> None:
            ready.wait()
            counts.append(service.evaluate(world))

        threads = [threading.Thread(target=run, args=(one,)) for one in others]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    together()
    assert sum(raised for raised, _ in counts) == 1
    change(any_world, want=1)
    together()
    assert sum(cleared for _, cleared in counts) == 1
    with any_world.database.reading() as session:
        assert len(session.scalars(select(Alarm).where(Alarm.kind == "urgent_late")).all()) == 1
    for one in others:
        one.database.close()


def test_webhooks_are_told_of_the_raising_and_of_the_clearing(
    any_world: World, card: Card, clock: MovableClock
) -> None:
    with any_world.database.unit_of_work() as session:
        webhooks.create(
            session, url="https://ops.example.com/hook", programme_id=None, events=None, description="", now=clock()
        )
    change(any_world, want=2, lane=0, dirty_since=milliseconds(clock()) - 120_000)
    service.evaluate(any_world)
    change(any_world, want=1)
    service.evaluate(any_world)

    with any_world.database.reading() as session:
        events = session.scalars(select(Event).order_by(Event.id)).all()
        jobs = session.scalars(select(Message).where(Message.kind == "webhook")).all()
    assert [one.kind for one in events] == ["alarm.raised", "alarm.cleared"]
    assert b"urgent_late" in events[0].body
    assert b"Customers see an old balance" in events[0].body
    assert len(jobs) == 2


def test_a_question_that_fails_neither_raises_nor_clears(any_world: World, card: Card, clock: MovableClock) -> None:
    (any_world.settings.certs_dir / PASS_TYPE / "certificate.pem").unlink()
    service.evaluate(any_world)
    assert "credential_broken" in open_kinds(any_world)
    with any_world.database.unit_of_work() as session:
        session.connection().exec_driver_sql("ALTER TABLE programme RENAME TO programme_elsewhere")
    try:
        service.evaluate(any_world)
    finally:
        with any_world.database.unit_of_work() as session:
            session.connection().exec_driver_sql("ALTER TABLE programme_elsewhere RENAME TO programme")

    assert "credential_broken" in open_kinds(any_world)


Plan = Callable[[World, MovableClock], None]


def stopped(reason: str) -> Plan:
    def plan(world: World, _clock: MovableClock) -> None:
        with world.database.unit_of_work() as session:
            pace.open_until_mended(session, session.scalars(select(Sender)).one().id, reason)

    return plan


def certificate_ends(days: float) -> Plan:
    def plan(world: World, _clock: MovableClock) -> None:
        install_certificate(world, ends_in=timedelta(days=days))

    return plan


def row(*made: object) -> Plan:
    def plan(world: World, _clock: MovableClock) -> None:
        with world.database.unit_of_work() as session:
            for one in made:
                session.merge(one)

    return plan


def missed_offer(world: World, clock: MovableClock) -> None:
    with world.database.unit_of_work() as session:
        offer = an_offer(session, clock)
        values = {"status": "missed", "fired_at": clock()}
        session.execute(
            update(Occurrence).where(Occurrence.offer_id == offer, Occurrence.kind == "start").values(values)
        )


def missed_campaign(world: World, clock: MovableClock) -> None:
    with world.database.unit_of_work() as session:
        campaign_id = a_campaign(session, clock, state="stopped")
        session.add(CampaignRun(campaign_id=campaign_id, occurrence="2026-11-19T10:00", state="missed",
                                fire_at=clock(), ended_at=clock()))  # fmt: skip


def a_campaign(session: Session, clock: MovableClock, *, state: str) -> int:
    programme = session.scalars(select(Programme)).one()
    campaign = Campaign(
        public_id="cmp_test", programme_id=programme.id, name="Cake", kind="once", state=state,
        timezone="UTC", created_by="cli", created_at=clock(), changed_by="cli", changed_at=clock(),
    )  # fmt: skip
    session.add(campaign)
    session.flush()
    return campaign.id


def wrong_groups(world: World, clock: MovableClock) -> None:
    with world.database.unit_of_work() as session:
        campaign_id = a_campaign(session, clock, state="sent")
        found = Counts(  # a tenth of 1,000 was to be held back
            computed_at=clock(), treated=Arm(people=950), held_back=Arm(people=50),
            splits=(Planned(held_bp=1000, people=1000),),
        )  # fmt: skip
        values = {"campaign_id": campaign_id, "computed_at": clock(), "again_at": clock(), "body": as_json(found)}
        session.add(CampaignResult(**values))


def budget_of_offer(state: str) -> Callable[[World, MovableClock], None]:
    def happens(world: World, clock: MovableClock) -> None:
        with world.database.unit_of_work() as session:
            offer = an_offer(session, clock)
            budget = OfferBudget(offer_id=offer, measure="uses", period="all", most=10)
            session.add(budget)
            session.flush()
            session.add(OfferBudgetUse(budget_id=budget.id, period="", used=8, warned_at=clock()))
            session.execute(update(Offer).where(Offer.id == offer).values(state=state))

    return happens


def an_offer(session: Session, clock: MovableClock) -> int:
    programme = session.scalars(select(Programme)).one()
    draft = OfferDraft(
        programme=programme, title="Cake", body="Free", texts={}, starts_at=clock() + timedelta(hours=1),
        ends_at=clock() + timedelta(hours=2), timezone="UTC", tier=None, limit_per_card=1,
    )  # fmt: skip
    return offers.create(session, draft, by="test", now=clock()).id


def gone_jump(world: World, clock: MovableClock) -> None:
    with world.database.unit_of_work() as session:
        session.add(Snapshot(at=clock() - timedelta(minutes=20), tallies={"push:apple:gone": 5}, behind={}))
        session.add(Tally(name="push", label="apple", detail="gone", value=55))
        session.add(Tally(name="push", label="apple", detail="delivered", value=50))


def drifted(world: World, clock: MovableClock) -> None:
    with world.database.unit_of_work() as session:
        session.add(Snapshot(at=clock() - timedelta(hours=27), tallies={}, behind={}))
        session.add(Tally(name="drift", label="google", detail="differs", value=2))


def parked(world: World, _clock: MovableClock) -> None:
    change(world, state="parked", want=1, last_status=400, last_reason="PayloadTooLarge")


def wrong_version(world: World, clock: MovableClock) -> None:
    change(world, want=7, done=7, fetched=7)
    snapshots.take(world)


def wrong_books(world: World, clock: MovableClock) -> None:
    with world.database.unit_of_work() as session:
        programme_id, member_id = session.execute(select(Card.programme_id, Card.member_id)).one()
        values = {"programme_id": programme_id, "member_id": member_id, "unit": "points", "balance": 5}
        session.execute(delete(Account))
        session.add(Account(role="avail", **values))
    snapshots.take(world)


def backup_of_long_ago(world: World, clock: MovableClock) -> None:
    with world.database.unit_of_work() as session:
        backups.note(session, "verified", now=clock() - timedelta(days=1))
        backups.note(session, "made", now=clock() - timedelta(hours=27))


def endpoint_failing(world: World, clock: MovableClock) -> None:
    with world.database.unit_of_work() as session:
        webhooks.create(session, url="https://x.example/y", programme_id=None, events=None, description="", now=clock())
        session.execute(update(Endpoint).values(state="disabled", reason="failing"))


def renewed_and_refused(world: World, clock: MovableClock) -> None:
    with world.database.unit_of_work() as session:
        renewal.note_refused(
            session, "ab" * 32, pass_type="pass.com.example.kahve", reason="BadCertificate", now=clock()
        )


CASES: list[tuple[str, str, Plan]] = [
    ("credential_refused", "bad", stopped("APNs does not accept the credential: 403 BadCertificate.")),
    ("wrong_topic", "bad", stopped("APNs does not accept the topic: 400 BadTopic.")),
    ("wrong_team", "bad", stopped("APNs does not accept the credential: 403 InvalidProviderToken.")),
    ("server_not_trusted", "bad", stopped("the certificate of https://x is not trusted (self-signed certificate)")),
    ("credential_standby", "bad", renewed_and_refused),
    ("gone_guard", "bad", stopped("Unusually many phones were reported gone at once; look at the certificate.")),
    ("credential_expires", "warn", certificate_ends(29.5)),
    ("credential_expires", "warn", certificate_ends(13.5)),
    ("credential_expires", "bad", certificate_ends(6.5)),
    ("credential_expires", "bad", certificate_ends(0.5)),
    ("credential_broken", "bad", certificate_ends(-1)),
    ("offers_missed", "bad", missed_offer),
    ("offer_budget", "warn", budget_of_offer("live")),
    ("offer_spent", "warn", budget_of_offer("paused")),
    ("campaigns_missed", "bad", missed_campaign),
    ("campaign_split", "warn", wrong_groups),
    ("backup_old", "bad", backup_of_long_ago),
    ("want_not_version", "bad", wrong_version),
    ("ledger_mismatch", "bad", wrong_books),
    ("webhook_disabled", "warn", endpoint_failing),
    ("gone_jump", "bad", gone_jump),
    ("google_drift", "warn", drifted),
    ("parked", "bad", parked),
]


@pytest.mark.parametrize(("kind", "severity", "plan"), CASES, ids=[f"{one[0]}-{n}" for n, one in enumerate(CASES)])
def test_each_bad_day_has_its_alarm_with_words_that_mend(
    any_world: World, card: Card, clock: MovableClock, kind: str, severity: str, plan: Plan
) -> None:
    plan(any_world, clock)

    service.evaluate(any_world)

    assert open_kinds(any_world) == {kind}
    with any_world.database.reading() as session:
        alarm = next(one for one in service.open_alarms(session) if one.kind == kind)
    assert alarm.severity == severity
    for said in (words.title, words.meaning, words.mend):
        text = said(alarm.kind, alarm.values)
        assert isinstance(text, Sentence)
        assert text.endswith(".")
        assert "%(" not in text


def test_nearer_ends_of_a_certificate_raise_anew(any_world: World, card: Card, clock: MovableClock) -> None:
    install_certificate(any_world, ends_in=timedelta(days=40))
    seen = []
    for _ in range(41):
        clock.advance(days=1)
        beat(any_world)
        with any_world.database.unit_of_work() as session:
            backups.note(session, "made", now=clock())
            backups.note(session, "verified", now=clock())
        service.evaluate(any_world)
        with any_world.database.reading() as session:
            subjects = [one.subject for one in service.open_alarms(session) if one.kind.startswith("credential")]
        seen += [one for one in subjects if one not in seen]

    assert seen == [f"{PASS_TYPE}/{days}" for days in (30, 14, 7, 1)] + [PASS_TYPE]


def test_a_breaker_that_may_pass_is_an_alarm_after_five_minutes(
    any_world: World, card: Card, clock: MovableClock
) -> None:
    def fail_again() -> None:
        with any_world.database.unit_of_work() as session:
            sender = session.scalars(select(Sender)).one()
            pace.open_for_a_while(session, sender.id, "no answer", now_ms=milliseconds(clock()))

    begun, raised_after = clock(), None
    for _ in range(30):
        with any_world.database.reading() as session:
            until = session.scalars(select(Sender.breaker_until)).one()
        if until <= milliseconds(clock()):
            fail_again()
        beat(any_world)
        service.evaluate(any_world)
        if "breaker_open" in open_kinds(any_world):
            raised_after = clock() - begun
            break
        clock.advance(seconds=30)

    assert raised_after is not None
    assert timedelta(minutes=5) <= raised_after <= timedelta(minutes=6)


def test_no_backup_is_said_only_after_a_day_of_grace(any_world: World, card: Card, clock: MovableClock) -> None:
    with any_world.database.unit_of_work() as session:
        audit.record(session, actor="cli", action="user_added", subject="staff:x", now=clock())
    service.evaluate(any_world)
    assert open_kinds(any_world) == set()
    clock.advance(hours=27)
    beat(any_world)

    service.evaluate(any_world)

    assert open_kinds(any_world) == {"backup_none"}


def test_backups_that_nobody_ever_tried_to_restore_are_an_alarm_after_a_week_and_tried_ones_never(
    any_world: World, card: Card, clock: MovableClock
) -> None:
    with any_world.database.unit_of_work() as session:
        audit.record(session, actor="cli", action="user_added", subject="staff:x", now=clock())
    clock.advance(days=9)
    install_certificate(any_world)
    beat(any_world)
    with any_world.database.unit_of_work() as session:
        backups.note(session, "made", now=clock())
    service.evaluate(any_world)
    untried = open_kinds(any_world)

    with any_world.database.unit_of_work() as session:
        backups.note(session, "verified", now=clock())
        for _ in range(backups.KEPT * 2):
            backups.note(session, "made", now=clock())
    service.evaluate(any_world)

    assert untried == {"backup_untried"}
    assert open_kinds(any_world) == set()
    with any_world.database.reading() as session:
        assert session.scalar(select(func.count()).select_from(BackupNote)) == backups.KEPT + 1


def test_a_key_of_google_that_cannot_be_used_is_an_alarm(any_world: World, card: Card, tmp_path: Path) -> None:
    key = tmp_path / "service-account.json"
    key.write_text("{}", encoding="utf-8")
    settings = replace(any_world.settings, google_credentials=key, google_issuer_id="3388000000012345678")
    with_google = replace(any_world, settings=settings)

    service.evaluate(with_google)

    assert open_kinds(any_world) == {"google_key"}


def test_a_broker_that_nobody_hears_is_an_alarm_where_there_is_one(
    any_world: World, card: Card, clock: MovableClock
) -> None:
    row(LaneState(lane=0, heard_at=0, degraded_since=milliseconds(clock())))(any_world, clock)
    service.evaluate(any_world)
    assert open_kinds(any_world) == set()
    many = replace(any_world, settings=replace(any_world.settings, broker_url="redis://127.0.0.1:1/0"))

    service.evaluate(many)

    assert open_kinds(any_world) == {"broker_gone"}


def test_clocks_and_deaf_workers_are_named(any_world: World, card: Card, clock: MovableClock) -> None:
    now = clock()
    row(
        Node(name="skewed:2", role="worker", started_at=now, beat_at=now, worked_at=now, clock_apart_ms=-5_000),
        Node(name="deaf:3", role="worker", started_at=now, beat_at=now, worked_at=now - timedelta(minutes=3)),
    )(any_world, clock)

    service.evaluate(any_world)

    with any_world.database.reading() as session:
        found = {(one.kind, one.subject) for one in service.open_alarms(session) if one.kind not in QUIET}
    assert found == {("clock", "skewed:2"), ("worker_deaf", "deaf:3")}


def test_a_dead_scheduler_is_seen_by_whoever_looks(any_world: World, card: Card, clock: MovableClock) -> None:
    clock.advance(seconds=61)

    with any_world.database.reading() as session:
        seen = {one.kind for one in service.seen_now(any_world, session, now=clock())}
        written = {one.kind for one in service.open_alarms(session)}

    assert {"no_scheduler", "no_worker"} <= seen
    assert written == set()


def test_free_space_is_that_of_the_data_s_disk_even_before_its_folder_is_there(world: World, tmp_path: Path) -> None:
    assert not world.settings.var_dir.exists()

    assert conditions.free_bytes(world) > 0


def test_every_kind_that_can_be_raised_has_its_words() -> None:
    kinds = {kind for of in conditions.LOOKS for kind in of}

    assert kinds <= set(words.TEXTS)


def test_words_of_another_release_do_not_break_a_page() -> None:
    assert words.title("from_the_future", {}) == "from_the_future"


def test_old_turns_of_the_check_are_looked_at_again(any_world: World, card: Card, clock: MovableClock) -> None:
    wrong_version(any_world, clock)
    service.evaluate(any_world)
    assert open_kinds(any_world) == {"want_not_version"}
    change(any_world, want=1, done=1, fetched=1)
    clock.advance(minutes=2)
    beat(any_world)
    snapshots.take(any_world)

    service.evaluate(any_world)

    assert open_kinds(any_world) == set()
    with any_world.database.reading() as session:
        assert session.get_one(Turn, "check").note["targets"] == []
