"""The channel between delivery and APNs: who is pushed, once, and who is forgotten."""

import secrets
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from app.cards import service as cards
from app.cards.models import Card, Programme
from app.clock import milliseconds, system_clock
from app.offers import service as offers
from app.offers.service import OfferDraft
from app.outbox import claims
from app.outbox.claims import Claim, SenderRef
from app.outbox.models import Sender, Target
from app.outbox.rules import Lane
from app.sandbox.apns.faults import Fault, FaultKind
from app.sandbox.sandbox import Sandbox
from app.wallets.apple import issues, registrations
from app.wallets.apple.batches import Wake
from app.wallets.apple.models import Device, Registration
from app.wallets.apple.push import AppleChannel
from app.wallets.apple.registrations import Arrival
from app.wallets.channel import Errand, Result
from app.world import World
from passes.outcome import Outcome
from tests import factories
from tests.app.wallets.apple.conftest import PASS_TYPE
from tests.conftest import MovableClock


@pytest.fixture
def channel(world: World) -> AppleChannel:
    return AppleChannel(world)


def hold(world: World, sandbox: Sandbox, card: Card, device: str, token: str | None = None) -> str:
    """A phone that holds the card, and APNs knows."""
    token = token or secrets.token_hex(32)
    sandbox.hub.register(token)
    arrival = Arrival(library_identifier=device, push_token=token, pass_type=PASS_TYPE, card_id=card.id)
    issues.note(world.database, card.id, card.version, "ab" * 32, world.clock())
    with world.database.unit_of_work() as session:
        registrations.register(session, arrival, now=world.clock())
    return token


def change(world: World, *changed: Card, lane: Lane = Lane.URGENT) -> None:
    with world.database.unit_of_work() as session:
        for card in changed:
            cards.touch(session, cards.lock(session, card.id), lane=lane, now=world.clock())


def claimed(world: World, lane: Lane = Lane.URGENT) -> Claim:
    with world.database.unit_of_work() as session:
        sender = session.scalars(select(Sender).where(Sender.vendor == "apple")).one()
        claim = claims.claim(
            session,
            SenderRef(sender.id, sender.vendor, sender.name),
            channel="apple",
            lane=lane,
            limit=500,
            now_ms=milliseconds(world.clock() + timedelta(seconds=15)),
        )
        assert claim is not None
        return claim


def prepared(world: World, channel: AppleChannel, claim: Claim) -> list[Errand]:
    with world.database.reading() as session:
        return channel.prepare(session, claim, now=world.clock())


def settle(world: World, channel: AppleChannel, results: Sequence[Result]) -> None:
    with world.database.unit_of_work() as session:
        for result in results:
            if result.outcome is Outcome.GONE:
                session.get_one(Target, result.errand.target.id).state = "gone"
        session.flush()
        channel.settled(session, results, now=world.clock())


def devices(world: World) -> set[str]:
    with world.database.reading() as session:
        return set(session.scalars(select(Device.library_identifier)))


def test_a_push_tells_what_was_read_after_the_claim(
    world: World, channel: AppleChannel, sandbox: Sandbox, card: Card
) -> None:
    token = hold(world, sandbox, card, "phone")
    change(world, card)
    claim = claimed(world)
    change(world, card)

    (errand,) = prepared(world, channel, claim)
    (result,) = channel.push([errand])

    assert (claim.rows[0].want, errand.version, errand.claim.sender.name) == (2, 3, PASS_TYPE)
    assert (result.outcome, result.status) == (Outcome.DELIVERED, 200)
    assert [record.token for record in sandbox.apns.requests] == [token]


def test_two_cards_on_one_phone_are_told_with_one_push(
    world: World, channel: AppleChannel, sandbox: Sandbox, card: Card
) -> None:
    with world.database.unit_of_work() as session:
        second = factories.card(session, session.scalars(select(Programme)).one(), "Bob", now=world.clock())
    token = hold(world, sandbox, card, "phone")
    hold(world, sandbox, second, "phone", token)
    change(world, card, second)

    results = channel.push(prepared(world, channel, claimed(world)))

    assert [one.outcome for one in results] == [Outcome.DELIVERED] * 2
    assert sandbox.apns.count == 1


def test_a_phone_that_is_gone_leaves_no_errand(
    world: World, channel: AppleChannel, sandbox: Sandbox, card: Card
) -> None:
    hold(world, sandbox, card, "phone")
    change(world, card)
    claim = claimed(world)
    with world.database.unit_of_work() as session:
        registrations.unregister(session, library_identifier="phone", card_id=card.id, now=world.clock())

    assert prepared(world, channel, claim) == []


def test_a_dead_token_is_forgotten_for_every_card_of_its_phone(
    world: World, channel: AppleChannel, sandbox: Sandbox, card: Card, clock: MovableClock
) -> None:
    with world.database.unit_of_work() as session:
        second = factories.card(session, session.scalars(select(Programme)).one(), "Bob", now=world.clock())
    token = hold(world, sandbox, card, "phone")
    hold(world, sandbox, second, "phone", token)
    hold(world, sandbox, card, "tablet")
    change(world, card)
    clock.advance(seconds=2)
    dead_ms = milliseconds(clock())
    sandbox.apns.script(Fault(status=410, reason="Unregistered", timestamp_ms=dead_ms, token=token))

    results = channel.push(prepared(world, channel, claimed(world)))
    settle(world, channel, results)

    assert devices(world) == {"tablet"}
    with world.database.reading() as session:
        states = dict(session.execute(select(Target.address_id, Target.state).order_by(Target.id)).all())
        assert sorted(states.values()) == ["gone", "live"]
        assert len(session.scalars(select(Registration)).all()) == 1


def test_a_death_older_than_the_registration_is_tried_again(
    world: World, channel: AppleChannel, sandbox: Sandbox, card: Card
) -> None:
    hold(world, sandbox, card, "phone")
    change(world, card)
    before = milliseconds(world.clock() - timedelta(hours=1))
    sandbox.apns.script(Fault(status=410, reason="Unregistered", timestamp_ms=before))

    (result,) = channel.push(prepared(world, channel, claimed(world)))
    settle(world, channel, [result])

    assert result.outcome is Outcome.TRY_AGAIN
    assert devices(world) == {"phone"}


def test_a_phone_that_registers_anew_during_the_push_stays(
    world: World, channel: AppleChannel, sandbox: Sandbox, card: Card, clock: MovableClock
) -> None:
    hold(world, sandbox, card, "phone")
    change(world, card)
    sandbox.apns.script(Fault(status=400, reason="BadDeviceToken"))
    results = channel.push(prepared(world, channel, claimed(world)))
    clock.advance(seconds=1)
    hold(world, sandbox, card, "phone")

    settle(world, channel, results)

    assert [one.outcome for one in results] == [Outcome.GONE]
    assert devices(world) == {"phone"}
    with world.database.reading() as session:
        assert [one.state for one in session.scalars(select(Target))] == ["live"]


def test_when_a_fifth_of_many_phones_is_reported_gone_nothing_is_deleted(
    world: World, channel: AppleChannel, sandbox: Sandbox, card: Card
) -> None:
    with world.database.unit_of_work() as session:
        programme = session.scalars(select(Programme)).one()
        others = [factories.card(session, programme, f"Member {n}", now=world.clock()) for n in range(59)]
    for number, one in enumerate([card, *others]):
        hold(world, sandbox, one, f"phone {number}")
    change(world, card, *others)
    sandbox.apns.script(Fault(status=400, reason="BadDeviceToken", times=15))

    results = channel.push(prepared(world, channel, claimed(world)))
    settle(world, channel, results)

    refused = [one for one in results if one.outcome is Outcome.REFUSED]
    assert len(refused) == 15
    assert all("certificate" in one.breaker for one in refused)
    assert len(devices(world)) == 60


def test_a_faulty_credential_stops_the_sender_in_words(
    world: World, channel: AppleChannel, sandbox: Sandbox, card: Card
) -> None:
    hold(world, sandbox, card, "phone")
    change(world, card)
    sandbox.apns.script(Fault(status=403, reason="BadCertificate"))

    (result,) = channel.push(prepared(world, channel, claimed(world)))

    assert result.outcome is Outcome.REFUSED
    assert "BadCertificate" in result.breaker
    assert "tessera doctor" in result.breaker


@pytest.mark.parametrize(
    ("fault", "named", "mended"),
    [
        (Fault(kind=FaultKind.REFUSE_HANDSHAKE, reason="certificate_expired"), "CertificateExpired", "has expired"),
        (Fault(kind=FaultKind.REFUSE_HANDSHAKE, reason="certificate_revoked"), "CertificateRevoked", "was revoked"),
        (Fault(kind=FaultKind.REFUSE_HANDSHAKE, reason="unknown_ca"), "CertificateRefused", "certs import"),
        (Fault(status=400, reason="DeviceTokenNotForTopic"), "the topic of", "pass type and team"),
        (Fault(status=400, reason="TopicDisallowed"), "TopicDisallowed", "pass type and team"),
        (Fault(status=403, reason="BadCertificateEnvironment"), "BadCertificateEnvironment", "TESSERA_APNS_URL"),
        (Fault(status=403, reason="Forbidden"), "Forbidden", "TESSERA_APNS_KEY_ID"),
    ],
    ids=lambda one: one.reason if isinstance(one, Fault) else "",
)
def test_a_refused_credential_or_topic_is_named_with_what_mends_it(
    fault: Fault, named: str, mended: str, world: World, channel: AppleChannel, sandbox: Sandbox, card: Card
) -> None:
    hold(world, sandbox, card, "phone")
    change(world, card)
    sandbox.apns.script(fault)

    (result,) = channel.push(prepared(world, channel, claimed(world)))

    assert result.outcome is Outcome.REFUSED
    assert named in result.breaker
    assert mended in result.breaker


@pytest.mark.parametrize(
    ("team_of_key", "key_id", "reason"),
    [("OTHERTEAM1", None, "InvalidProviderToken"), ("A1B2C3D4E5", "ABCDEF1234", "InvalidProviderToken")],
    ids=["another team's key", "another key's id"],
)
def test_a_key_that_does_not_belong_is_named_with_what_mends_it(
    team_of_key: str, key_id: str | None, reason: str, world: World, sandbox: Sandbox, card: Card
) -> None:
    key = sandbox.issue_push_key(team_of_key)
    settings = replace(
        world.settings,
        apns_url=sandbox.apns_token_url,
        apns_key_file=key,
        apns_key_id=key_id or key.stem.removeprefix("AuthKey_"),
    )
    channel = AppleChannel(replace(world, settings=settings, clock=system_clock))
    hold(world, sandbox, card, "phone")
    change(world, card)

    (result,) = channel.push(prepared(world, channel, claimed(world)))

    assert result.outcome is Outcome.REFUSED
    assert reason in result.breaker
    assert "must belong together" in result.breaker


def test_without_a_certificate_nothing_is_sent_and_the_reason_is_told(
    world: World, sandbox: Sandbox, card: Card, tmp_path: Path
) -> None:
    hold(world, sandbox, card, "phone")
    change(world, card)
    bare = replace(world, settings=replace(world.settings, certs_dir=tmp_path / "none"))
    channel = AppleChannel(bare)

    (result,) = channel.push(prepared(world, channel, claimed(world)))

    assert result.outcome is Outcome.REFUSED
    assert "missing" in result.breaker
    assert "missing" in channel.credential(PASS_TYPE)


def test_somebody_at_a_till_does_not_wait_apples_quarter_of_an_hour(
    world: World, channel: AppleChannel, sandbox: Sandbox, card: Card
) -> None:
    hold(world, sandbox, card, "phone")
    change(world, card)
    errands = prepared(world, channel, claimed(world))
    sandbox.apns.script(Fault(status=503, reason="ServiceUnavailable", times=2))

    (urgent,) = channel.push(errands)
    (bulk,) = channel.push([errands[0]._replace(claim=replace(errands[0].claim, lane=Lane.BULK))])

    assert (urgent.outcome, urgent.retry_after_s) == (Outcome.TRY_AGAIN, None)
    assert (bulk.outcome, bulk.retry_after_s) == (Outcome.TRY_AGAIN, 900)


def test_an_offers_push_ends_with_the_offer_and_a_balance_waits_as_long_as_it_must(
    world: World, channel: AppleChannel, sandbox: Sandbox, card: Card
) -> None:
    hold(world, sandbox, card, "phone")
    now = world.clock()
    with world.database.unit_of_work() as session:
        draft = OfferDraft(
            programme=session.scalars(select(Programme)).one(),
            title="Double points",
            body="",
            starts_at=now,
            ends_at=now + timedelta(hours=2),
            timezone="Europe/Istanbul",
        )
        offers.create(session, draft, by="test", now=now)
        offers.tick(session, now=now)
    change(world, card, lane=Lane.BULK)
    (bulk,) = prepared(world, channel, claimed(world, Lane.BULK))

    other = bulk.payload._replace(wake=Wake("ab" * 32))
    channel.push([bulk, bulk._replace(payload=other)])

    sent = {record.token: record.expiration for record in sandbox.apns.requests}
    assert sent == {bulk.payload.wake.push_token: str(int((now + timedelta(hours=2)).timestamp())), "ab" * 32: None}


def test_a_key_file_speaks_instead_of_certificates(world: World, sandbox: Sandbox, card: Card) -> None:
    key = sandbox.issue_push_key("A1B2C3D4E5")
    settings = replace(
        world.settings,
        apns_url=sandbox.apns_token_url,
        apns_key_file=key,
        apns_key_id=key.stem.removeprefix("AuthKey_"),
    )
    channel = AppleChannel(replace(world, settings=settings, clock=system_clock))
    hold(world, sandbox, card, "phone")
    change(world, card)

    (result,) = channel.push(prepared(world, channel, claimed(world)))

    assert result.outcome is Outcome.DELIVERED
    assert sandbox.apns.requests[-1].bearer
