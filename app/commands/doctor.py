"""`tessera doctor`: is everything in place, and if not, what mends it."""

import argparse
import json
import shutil
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import requests
from sqlalchemy import func, select, text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from app import settings
from app.cards.models import Programme
from app.clock import milliseconds, system_clock
from app.commands import certs
from app.commands.setup import say
from app.db import Database
from app.errors import AppError, ConfigurationError
from app.migrations.run import is_current, is_newer
from app.outbox.models import Sender, Target
from app.settings import Settings
from app.vault import Vault, load_secret
from app.wallets.apple import dial, verdicts
from app.wallets.apple.dial import Access
from app.wallets.google.client import GoogleClient
from passes.apple.provider_token import provider_token
from passes.apple.push import Scope
from passes.errors import PassError
from passes.google import api
from passes.outcome import Outcome

TIMEOUT_S = 5
SKEW_S = 5
LEAST_FREE = 0.05
QUEUE_LATE_S = 60
ANY_TEAM = "AAAAAAAAAA"
# where a check cannot be made at all
LAST_HINTS = {
    "database": "start the database, and check TESSERA_DATABASE_URL",
    "secret": "make TESSERA_VAR_DIR a folder that this user can write",
    "google": "open the way to Google (TCP 443), and check the TESSERA_GOOGLE_ settings",
    "disk": "make TESSERA_VAR_DIR a folder that this user can write",
}


@dataclass(frozen=True, kw_only=True)
class Check:
    """One finding. `state`: ok, warning or broken."""

    subject: str
    state: str
    sentence: str
    hint: str = ""


def add_parsers(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """The command."""
    parser = commands.add_parser("doctor", help="check certificates, keys, addresses, clock and credentials")
    parser.add_argument("--json", action="store_true")
    parser.set_defaults(func=run)


def run(arguments: argparse.Namespace) -> int:
    """Print every finding; 1 if anything is broken."""
    chosen = settings.load()
    found = [check for examine in EXAMINATIONS for check in _safely(examine, chosen)]
    if arguments.json:
        say(json.dumps([asdict(check) for check in found]))
    for check in [] if arguments.json else found:
        say(f"{check.state:8} {check.subject}: {check.sentence}" + (f" → {check.hint}" if check.hint else ""))
    return 1 if any(check.state == "broken" for check in found) else 0


def _safely(examine: Callable[[Settings], Iterator[Check]], chosen: Settings) -> Iterator[Check]:
    """A check that fails itself is a finding, not the end of the examination."""
    name = examine.__name__.strip("_")
    try:
        yield from examine(chosen)
    except (OSError, SQLAlchemyError, ConfigurationError, AppError, ValueError) as problem:
        reason = str(problem.orig) if isinstance(problem, DBAPIError) else str(problem)
        yield Check(
            subject=name, state="broken", sentence=" ".join(reason.split())[:300], hint=LAST_HINTS.get(name, "")
        )


def _address(chosen: Settings) -> Iterator[Check]:
    host = urlsplit(chosen.base_url).hostname or ""
    if chosen.secure:
        yield Check(subject="address", state="ok", sentence=f"{chosen.base_url} is https.")
        return
    local = host in {"127.0.0.1", "localhost", "::1"}
    yield Check(
        subject="address",
        state="warning" if local else "broken",
        sentence=f"{chosen.base_url} is not https: real phones fetch passes over https only.",
        hint="put a proxy with a certificate in front and set TESSERA_BASE_URL=https://…",
    )


def _secret(chosen: Settings) -> Iterator[Check]:
    load_secret(chosen.secret_key, chosen.var_dir)
    where = "TESSERA_SECRET_KEY" if chosen.secret_key else str(chosen.var_dir / "secret.key")
    hint = "" if chosen.secret_key else "keep a copy of it apart from the database's backup"
    yield Check(subject="secret", state="ok", sentence=f"The secret is read from {where}.", hint=hint)


def _database(chosen: Settings) -> Iterator[Check]:
    database = Database(chosen.database_url)
    try:
        if is_newer(database):
            yield Check(
                subject="database",
                state="broken",
                sentence="A newer release of Tessera has migrated this database.",
                hint="start that release, or restore a backup made with this one",
            )
            return
        if not is_current(database):
            yield Check(
                subject="database",
                state="broken",
                sentence="The database is not in this release's shape.",
                hint="tessera migrate",
            )
            return
        yield Check(subject="database", state="ok", sentence=f"{database.engine.dialect.name} answers, migrated.")
        yield from _personal_data(chosen, database)
        yield from _queue(database)
        yield from _stopped(database)
        yield from _database_clock(database)
    finally:
        database.close()


def _personal_data(chosen: Settings, database: Database) -> Iterator[Check]:
    vault = Vault(load_secret(chosen.secret_key, chosen.var_dir))
    with database.reading() as session:
        sealed = session.execute(text("SELECT sealed FROM member WHERE sealed IS NOT NULL LIMIT 1")).scalar()
        programmes = session.scalars(select(Programme.slug).where(Programme.status == "live")).all()
    if sealed is not None:
        yield _opens(vault, bytes(sealed))
    if not programmes:
        hint = "make one at /admin, or POST /api/v1/programmes"
        yield Check(subject="programmes", state="warning", sentence="There is no live programme.", hint=hint)


def _opens(vault: Vault, sealed: bytes) -> Check:
    try:
        vault.open(sealed)
    except ConfigurationError:
        return Check(
            subject="secret",
            state="broken",
            sentence="The members' data in this database was sealed with another secret.",
            hint="set TESSERA_SECRET_KEY, or put back secret.key, as it was when the database was made",
        )
    return Check(subject="secret", state="ok", sentence="It opens the members' data in this database.")


def _queue(database: Database) -> Iterator[Check]:
    """How long the card that has waited longest is behind what its phone should show."""
    late = select(func.count(), func.min(Target.dirty_since)).where(
        Target.want > Target.done, Target.state == "live", Target.not_before <= milliseconds(system_clock())
    )
    with database.reading() as session:
        count, since_ms = session.execute(late).one()
    waited_s = (milliseconds(system_clock()) - since_ms) / 1000 if count else 0
    if waited_s <= QUEUE_LATE_S:
        yield Check(subject="queue", state="ok", sentence=f"Cards that wait for their phones to be told: {count}.")
        return
    yield Check(
        subject="queue",
        state="warning",
        sentence=f"Cards that wait for their phones to be told: {count}, the first for {waited_s:.0f} s.",
        hint="start delivery (tessera run, or tessera worker), and see /admin/deliveries for what holds it up",
    )


def _stopped(database: Database) -> Iterator[Check]:
    """Senders that a vendor has refused: nothing is sent for them until somebody mends it."""
    with database.reading() as session:
        stopped = session.scalars(select(Sender).where(Sender.breaker_until > milliseconds(system_clock()))).all()
    for sender in stopped:
        yield Check(
            subject="delivery",
            state="broken",
            sentence=f"Nothing is sent for {sender.vendor} {sender.name}: {sender.breaker_reason}",
            hint="mend that, then let it try again at /admin/deliveries, or restart delivery",
        )


def _database_clock(database: Database) -> Iterator[Check]:
    if database.is_sqlite:
        return
    with database.engine.connect() as connection:
        theirs = datetime.fromtimestamp(float(connection.scalar(text("SELECT extract(epoch FROM now())")) or 0), UTC)
    yield _skew("the database", theirs)


def _skew(whose: str, theirs: datetime) -> Check:
    seconds = abs((system_clock() - theirs).total_seconds())
    if seconds <= SKEW_S:
        return Check(subject="clock", state="ok", sentence=f"This clock and that of {whose} agree within {SKEW_S} s.")
    return Check(
        subject="clock",
        state="broken",
        sentence=f"This clock and that of {whose} differ by {seconds:.0f} s.",
        hint="synchronise both machines' clocks (NTP)",
    )


def _certificates(chosen: Settings) -> Iterator[Check]:
    states = {"fine": "ok", "warning": "warning", "broken": "broken"}
    found = certs.findings(chosen)
    for one in found:
        yield Check(
            subject="certificate", state=states[one.severity.value], sentence=one.sentence, hint=one.hint.rstrip(".")
        )
    if not found:
        hint = "tessera certs csr PASS_TYPE, or tessera certs dev PASS_TYPE to try things out"
        yield Check(
            subject="certificate", state="warning", sentence="No Apple pass certificate is in place.", hint=hint
        )
    for key in chosen.certs_dir.glob("*/key.pem"):
        if key.stat().st_mode & 0o077:
            yield Check(
                subject="certificate",
                state="warning",
                sentence=f"{key} can be read by others on this machine.",
                hint=f"chmod 600 {key}",
            )


def _apns(chosen: Settings) -> Iterator[Check]:
    """Whether a TLS connection to APNs can be made; who we are is shown only when a push is sent."""
    if chosen.apns_key_file:
        yield _push_key(chosen.apns_key_file, chosen.apns_key_id)
    access = Access(url=chosen.apns_url, ca_file=chosen.apns_ca_file)
    try:
        dial.dial(access, dial.tls_context(access), deadline_s=TIMEOUT_S).close()
    except (OSError, dial.BadTrust) as problem:
        told = verdicts.fault(problem, chosen.apns_url)
        # APNs may hang up already in the handshake when no certificate is shown: then it was reached
        if told.answer.scope is not Scope.CREDENTIAL:
            yield Check(
                subject="apns",
                state="broken",
                sentence=f"{chosen.apns_url} cannot be reached: {told.detail}.",
                hint="open the way to it (TCP 443, HTTP/2 over TLS), or correct TESSERA_APNS_URL",
            )
            return
    yield Check(subject="apns", state="ok", sentence=f"{chosen.apns_url} can be reached.")


def _push_key(file: Path, key_id: str) -> Check:
    try:
        provider_token(file.read_bytes(), key_id=key_id, team=ANY_TEAM, at=system_clock())
    except (OSError, PassError) as problem:
        hint = "download the .p8 key again (Apple shows it once), or unset TESSERA_APNS_KEY_FILE"
        return Check(subject="apns", state="broken", sentence=f"{file}: {problem}.", hint=hint)
    return Check(subject="apns", state="ok", sentence=f"{file} makes push tokens.")


def _google(chosen: Settings) -> Iterator[Check]:
    if not chosen.google_ready:
        hint = "set TESSERA_GOOGLE_CREDENTIALS and TESSERA_GOOGLE_ISSUER_ID"
        yield Check(subject="google", state="warning", sentence="Google Wallet is not configured.", hint=hint)
        return
    client = GoogleClient(chosen, system_clock)
    answer = client.call(api.get_issuer(chosen.google_issuer_id))
    if answer.outcome is Outcome.DELIVERED:
        yield Check(subject="google", state="ok", sentence=f"Issuer {chosen.google_issuer_id} answers to this key.")
    else:
        hint = client.words_for_breaker(answer) or "see README, Going live with Google"
        said = f"{answer.status or 'no answer'} {answer.reason} {answer.message}".strip()
        yield Check(subject="google", state="broken", sentence=f"Google Wallet says: {said}.", hint=hint)
    keys = requests.get(chosen.google_root_keys_url, timeout=TIMEOUT_S)
    yield Check(
        subject="google",
        state="ok" if keys.ok else "broken",
        sentence=f"{chosen.google_root_keys_url} answers {keys.status_code}.",
        hint="" if keys.ok else "correct TESSERA_GOOGLE_ROOT_KEYS_URL; without these keys no callback is believed",
    )
    if keys.headers.get("Date"):
        theirs = datetime.strptime(keys.headers["Date"], "%a, %d %b %Y %H:%M:%S %Z").replace(tzinfo=UTC)
        yield _skew("Google", theirs)


def _disk(chosen: Settings) -> Iterator[Check]:
    chosen.var_dir.mkdir(parents=True, exist_ok=True)
    usage = shutil.disk_usage(chosen.var_dir)
    yield disk_check(free_bytes=usage.free, total_bytes=usage.total)


def disk_check(*, free_bytes: int, total_bytes: int) -> Check:
    """Whether there is room to go on."""
    share = free_bytes / max(1, total_bytes)
    state = "ok" if share >= LEAST_FREE else "broken"
    hint = "" if state == "ok" else "free some space: a full disk stops every write"
    return Check(subject="disk", state=state, sentence=f"{share:.0%} of the disk is free.", hint=hint)


def _service(chosen: Settings) -> Iterator[Check]:
    host, _, port = chosen.listen.rpartition(":")
    began = time.monotonic()
    try:
        with socket.create_connection((host.strip("[]") or "127.0.0.1", int(port)), timeout=1):
            took_ms = (time.monotonic() - began) * 1000
            yield Check(subject="service", state="ok", sentence=f"{chosen.listen} answers in {took_ms:.0f} ms.")
    except OSError:
        hint = "start it with: tessera run"
        yield Check(subject="service", state="warning", sentence=f"Nothing listens on {chosen.listen}.", hint=hint)


EXAMINATIONS = (_address, _secret, _database, _certificates, _apns, _google, _disk, _service)
