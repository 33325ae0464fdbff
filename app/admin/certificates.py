"""What signs and what speaks for us: Apple's certificates by pass type, Google's service account."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from app.cards.models import Programme
from app.errors import Busy
from app.wallets.apple.identities import Finding, Severity
from app.wallets.apple.issuer import issuer
from app.wallets.google.client import shared_client
from app.world import World


@dataclass(frozen=True, kw_only=True)
class PassType:
    """One pass type: its state, the programmes that use it, and the chain (leaf first, with its last day)."""

    finding: Finding
    team: str
    programmes: tuple[str, ...]
    chain: tuple[tuple[str, datetime], ...]

    @property
    def tone(self) -> str:
        return {Severity.FINE: "good", Severity.WARNING: "warn", Severity.BROKEN: "bad"}[self.finding.severity]


@dataclass(frozen=True, kw_only=True)
class GoogleState:
    """`missing`: the settings still to be made. `fault`: why the key file cannot be used."""

    issuer_id: str
    email: str
    missing: tuple[str, ...]
    fault: str


def finding_of(world: World, programme: Programme, *, now: datetime) -> Finding:
    """Whether this programme's cards can be signed."""
    return issuer(world).identities.finding(programme.pass_type_identifier, at=now, team=programme.team_identifier)


def pass_types(world: World, programmes: Iterable[Programme], *, with_folders: bool, now: datetime) -> list[PassType]:
    """Every pass type in use and, with *with_folders*, each that has a folder but no programme; the worst first."""
    users: dict[tuple[str, str], list[str]] = defaultdict(list)
    for programme in programmes:
        users[programme.pass_type_identifier, programme.team_identifier].append(programme.name)
    known = {pass_type for pass_type, _ in users}
    folders = (
        sorted(one.name for one in world.settings.certs_dir.glob("pass.*") if one.is_dir()) if with_folders else []
    )
    unused: list[tuple[str, str]] = [(name, "") for name in folders if name not in known]
    found = [_pass_type(world, pair, users.get(pair, []), now) for pair in [*users, *unused]]
    worst = [Severity.BROKEN, Severity.WARNING, Severity.FINE]
    return sorted(found, key=lambda one: worst.index(one.finding.severity))


def google(world: World) -> GoogleState:
    """What is configured for Google, without asking Google."""
    settings = world.settings
    missing = [
        name
        for name, value in (
            ("TESSERA_GOOGLE_CREDENTIALS", settings.google_credentials),
            ("TESSERA_GOOGLE_ISSUER_ID", settings.google_issuer_id),
        )
        if not value
    ]
    email = fault = ""
    if settings.google_credentials:
        try:
            email = shared_client(world).account().signer.email
        except Busy as problem:
            fault = problem.detail or problem.public
    return GoogleState(issuer_id=settings.google_issuer_id, email=email, missing=tuple(missing), fault=fault)


def _pass_type(world: World, pair: tuple[str, str], users: list[str], now: datetime) -> PassType:
    pass_type, team = pair
    identities = issuer(world).identities
    finding = identities.finding(pass_type, at=now, team=team or None)
    chain: tuple[tuple[str, datetime], ...] = ()
    if finding.severity is not Severity.BROKEN:
        identity = identities.credential(pass_type, at=now, team=team or None).signer.identity
        chain = tuple(
            (one.subject.rfc4514_string(), one.not_valid_after_utc)
            for one in (identity.certificate, identity.intermediate)
        )
    return PassType(finding=finding, team=team, programmes=tuple(users), chain=chain)
