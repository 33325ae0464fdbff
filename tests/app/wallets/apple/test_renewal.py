"""One certificate takes over from another: who signs, who pushes, and what the operator is told."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest

from app.cards.models import Card
from app.sandbox.apns.faults import Fault, FaultKind
from app.sandbox.sandbox import Sandbox
from app.wallets.apple import renewal
from app.wallets.apple.identities import Identities
from app.wallets.apple.issuer import issuer
from app.wallets.apple.push import AppleChannel
from app.wallets.channel import Errand, Result
from app.world import World
from passes.outcome import Outcome
from tests.app.wallets.apple.conftest import DEVICE, PASS_TYPE, Caller, pass_path, registration_body, registration_path
from tests.app.wallets.apple.test_push import change, claimed, hold, prepared
from tests.conftest import MovableClock


@dataclass(kw_only=True)
class Renewal:
    """A programme whose certificate is about to be renewed, and a push that waits."""

    world: World
    sandbox: Sandbox
    channel: AppleChannel
    errands: list[Errand]

    @property
    def folder(self) -> Path:
        return self.world.settings.certs_dir / PASS_TYPE

    def renew(self) -> None:
        """As `certs import` does: what was in use stands by."""
        (self.folder / "previous").mkdir()
        for file in [one for one in self.folder.iterdir() if one.is_file()]:
            (self.folder / "previous" / file.name).write_bytes(file.read_bytes())
        self.take(self.sandbox.authority.issue_pass_identity(PASS_TYPE, "A1B2C3D4E5", renew=True))

    def take(self, identity: Path) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        for file in identity.iterdir():
            (self.folder / file.name).write_bytes(file.read_bytes())

    def push(self) -> Result:
        (result,) = self.channel.push(self.errands)
        with self.world.database.unit_of_work() as session:
            self.channel.settled(session, [result], now=self.world.clock())
        return result

    @property
    def refused(self) -> list[tuple[str, str]]:
        with self.world.database.reading() as session:
            return [(one.fingerprint, one.reason) for one in renewal.refused(session)]

    def fingerprints(self) -> list[str]:
        found = Identities(self.world.settings.certs_dir).credentials(PASS_TYPE, at=self.world.clock())
        return [one.fingerprint for one in found]


@pytest.fixture
def renewing(world: World, sandbox: Sandbox, card: Card, tmp_path: Path) -> Renewal:
    moved = replace(world, settings=replace(world.settings, certs_dir=tmp_path / "certs"))
    hold(world, sandbox, card, "phone")
    change(world, card)
    channel = AppleChannel(moved)
    made = Renewal(world=moved, sandbox=sandbox, channel=channel, errands=prepared(world, channel, claimed(world)))
    made.take(sandbox.folder / "passes" / PASS_TYPE)
    return made


def test_the_new_certificate_pushes_at_once_on_a_connection_of_its_own(renewing: Renewal) -> None:
    renewing.push()
    before, made = renewing.channel.credential(PASS_TYPE), renewing.sandbox.apns.connections_made

    renewing.renew()
    renewing.sandbox.apns.revoke(renewing.folder / "previous" / "certificate.pem")
    result = renewing.push()

    assert result.outcome is Outcome.DELIVERED
    assert renewing.channel.credential(PASS_TYPE) != before
    assert renewing.sandbox.apns.connections_made == made + 1


def test_phones_are_told_with_the_old_certificate_where_apns_refuses_the_new_one(renewing: Renewal) -> None:
    renewing.renew()
    renewing.sandbox.apns.revoke(renewing.folder / "certificate.pem")

    result = renewing.push()

    assert (result.outcome, result.breaker) == (Outcome.DELIVERED, "")
    assert renewing.refused == [(renewing.fingerprints()[0], "BadCertificate")]


def test_a_refused_handshake_counts_as_well_and_the_refused_certificate_rests(renewing: Renewal) -> None:
    renewing.renew()
    renewing.sandbox.apns.script(Fault(kind=FaultKind.REFUSE_HANDSHAKE, reason="certificate_revoked"))
    refused_before = renewing.sandbox.apns.handshakes_refused

    results = [renewing.push() for _ in range(3)]

    assert {one.outcome for one in results} == {Outcome.DELIVERED}
    assert renewing.sandbox.apns.handshakes_refused == refused_before + 1
    assert [reason for _, reason in renewing.refused] == ["CertificateRevoked"]


def test_an_hour_later_the_new_certificate_is_tried_again_and_the_alarm_ends(
    renewing: Renewal, clock: MovableClock
) -> None:
    renewing.renew()
    renewing.sandbox.apns.revoke(renewing.folder / "certificate.pem")
    renewing.push()
    renewing.sandbox.apns.reset()
    clock.advance(minutes=61)
    renewing.errands = [
        one._replace(claim=replace(one.claim, send_until_ms=one.claim.send_until_ms + 3_660_000))
        for one in renewing.errands
    ]

    result = renewing.push()

    assert result.outcome is Outcome.DELIVERED
    assert renewing.refused == []


def test_where_both_are_refused_the_sender_stops_with_the_reason(renewing: Renewal) -> None:
    renewing.renew()
    renewing.sandbox.apns.revoke(renewing.folder / "certificate.pem")
    renewing.sandbox.apns.revoke(renewing.folder / "previous" / "certificate.pem")

    result = renewing.push()

    assert result.outcome is Outcome.REFUSED
    assert "BadCertificate" in result.breaker


def test_cards_on_phones_are_counted_by_the_certificate_that_signed_them_last(
    world: World, card: Card, call: Caller, token_of: Callable[[Card], str], clock: MovableClock, tmp_path: Path
) -> None:
    path, shown = registration_path(card, DEVICE), token_of(card)
    call("POST", path, registration_body(), Authorization=shown)

    with world.database.reading() as session:
        before = renewal.signed_counts(session)
    assert call("GET", pass_path(card), Authorization=shown).status == 200
    issuer(world).fetched.write()
    with world.database.reading() as session:
        after = renewal.signed_counts(session)

    fingerprint = issuer(world).identities.credential(PASS_TYPE, at=clock() + timedelta(0)).fingerprint
    assert before == [(PASS_TYPE, "", 1)]
    assert after == [(PASS_TYPE, fingerprint, 1)]
