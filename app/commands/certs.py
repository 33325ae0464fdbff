"""`tessera certs`: signing request, import, expiry report, development authority."""

import argparse
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from sqlalchemy import select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from app import settings
from app.cards.models import Programme
from app.clock import system_clock
from app.commands.setup import say
from app.db import Database
from app.errors import Unprocessable
from app.settings import Settings
from app.wallets.apple import renewal, requests
from app.wallets.apple.identities import Finding, Identities, Severity
from passes.errors import IdentityError

T = TypeVar("T")


def add_parsers(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """The commands of certificates."""
    certs = commands.add_parser("certs", help="Apple pass certificates").add_subparsers(dest="verb", required=True)
    csr = certs.add_parser("csr", help="make a key and a signing request for Apple")
    csr.add_argument("pass_type")
    csr.add_argument("--email", default="", help="written into the request")
    csr.set_defaults(func=make_request)
    put = certs.add_parser("import", help="put the certificate that Apple issued in place")
    put.add_argument("file", type=Path)
    put.add_argument("--intermediate", type=Path, help="where Apple used another one than WWDR G4")
    put.set_defaults(func=import_certificate)
    status = certs.add_parser("status", help="how long each certificate is valid; exit 1 if one is broken")
    status.add_argument("--json", action="store_true")
    status.set_defaults(func=show_status)
    dev = certs.add_parser("dev", help="a certificate from an authority of our own, for trying things out")
    dev.add_argument("pass_type")
    dev.add_argument("--team", default="TEAM123456", help="ten characters")
    dev.set_defaults(func=make_development)


def make_request(arguments: argparse.Namespace) -> int:
    """Write the request and say what to do with it."""
    chosen = settings.load()
    file = requests.make_request(
        chosen.certs_dir, arguments.pass_type, email=arguments.email, password=chosen.apple_key_password
    )
    say(f"Upload {file} at developer.apple.com → Identifiers → {arguments.pass_type} → Create Certificate.")
    say("Then put the downloaded file in place with: tessera certs import pass.cer")
    return 0


def import_certificate(arguments: argparse.Namespace) -> int:
    """Check and install; the key that waited becomes the key in use."""
    chosen = settings.load()
    intermediate = requests.as_pem(arguments.intermediate.read_bytes()) if arguments.intermediate else None
    try:
        identity = requests.import_certificate(
            chosen.certs_dir,
            arguments.file.read_bytes(),
            now=system_clock(),
            intermediate=intermediate,
            password=chosen.apple_key_password,
            teams=dict(_used(chosen)),
        )
    except IdentityError as problem:
        hint = "; its password belongs in TESSERA_APPLE_KEY_PASSWORD" if "password" in str(problem) else ""
        raise Unprocessable("certificate_refused", f"{problem}{hint}") from problem
    say(f"{identity.pass_type_identifier} (team {identity.team_identifier}) until {identity.valid_until:%Y-%m-%d}.")
    return 0


def show_status(arguments: argparse.Namespace) -> int:
    """One line for each pass type, with its mending hint."""
    chosen = settings.load()
    found = findings(chosen)
    if arguments.json:
        say(json.dumps([_as_json(one) for one in found]))
    for one in [] if arguments.json else found:
        say(" ".join(part for part in (f"{one.severity.value:8}", one.sentence, one.standby, one.hint) if part))
    for line in [] if arguments.json else _takeover(chosen):
        say(line)
    if not found and not arguments.json:
        say("No pass type is in use and no certificate is in place; make a request with: tessera certs csr PASS_TYPE")
    return 1 if any(one.severity is Severity.BROKEN for one in found) else 0


def make_development(arguments: argparse.Namespace) -> int:
    """Make the authority if it is not there, and a certificate from it."""
    chosen = settings.load()
    root = requests.make_development_identity(
        chosen.certs_dir, chosen.var_dir, arguments.pass_type, arguments.team, now=system_clock()
    )
    say(f"Certificate for {arguments.pass_type} (team {arguments.team}) in {chosen.certs_dir / arguments.pass_type}.")
    say(f"Verify its passes against {root}. Real phones refuse them.")
    return 0


def findings(chosen: Settings) -> list[Finding]:
    """The state of every pass type that a programme uses or that has a folder."""
    used = _used(chosen)
    folders = sorted(one.name for one in chosen.certs_dir.glob("pass.*") if one.is_dir())
    identities = Identities(chosen.certs_dir, password=chosen.apple_key_password)
    now = system_clock()
    others = [one for one in folders if one not in dict(used)]
    return identities.problems(used, at=now) + [identities.finding(one, at=now) for one in others]


def _used(chosen: Settings) -> Sequence[tuple[str, str]]:
    """Pass types and teams of all programmes."""
    return _asked(
        chosen,
        lambda session: [
            (pass_type, team)
            for pass_type, team in session.execute(select(Programme.pass_type_identifier, Programme.team_identifier))
        ],
    )


def _takeover(chosen: Settings) -> list[str]:
    """Which certificate signed how many cards on phones, and which one APNs does not take."""
    identities = Identities(chosen.certs_dir, password=chosen.apple_key_password)
    signed = _asked(chosen, renewal.signed_counts)
    names = {
        credential.fingerprint: f"the certificate until {credential.signer.identity.valid_until:%Y-%m-%d}"
        for pass_type in {one.pass_type for one in signed}
        for credential in identities.standing(pass_type)
    }
    names[""] = "a certificate that nobody noted"
    lines = [
        f"{one.pass_type}: {one.cards} cards on phones were last signed with "
        f"{names.get(one.fingerprint, f'a former certificate ({one.fingerprint[:16]})')}."
        for one in signed
    ]
    return lines + [
        f"{one.pass_type_identifier}: APNs refuses {names.get(one.fingerprint, 'the new certificate')} ({one.reason}) "
        f"since {one.at:%Y-%m-%d %H:%M} UTC; phones are told with the one before it."
        for one in _asked(chosen, renewal.refused)
    ]


def _asked(chosen: Settings, question: Callable[[Session], Sequence[T]]) -> Sequence[T]:
    database = Database(chosen.database_url)
    try:
        with database.reading() as session:
            return question(session)
    except DBAPIError:
        return []  # no database yet: certificates come before it
    finally:
        database.close()


def _as_json(one: Finding) -> dict[str, object]:
    return {
        "pass_type": one.pass_type,
        "severity": one.severity.value,
        "sentence": one.sentence,
        "hint": one.hint,
        "days_left": one.days_left,
        "expires_at": one.expires_at.isoformat() if one.expires_at else None,
        "standby": one.standby,
    }
