"""`tessera demo`: everything at once, with wallets of its own, for a newcomer to try."""

import argparse
import json
import logging
import os
import secrets
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import requests

from app import logs, settings
from app.cards import codes
from app.commands.sample import filling, shop
from app.commands.sample.filling import Begin
from app.commands.serving import parts, prepare, require_free_port
from app.commands.setup import say
from app.errors import AppError, ConfigurationError
from app.processes import Child, keep_running, start
from app.settings import Settings
from app.staff import pins
from app.staff import service as staff
from app.world import World, open_world

LOGGER = logging.getLogger(__name__)
READY_WITHIN_S = 60


def add_parsers(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """The command."""
    text = "a sample programme with sandbox wallets: the whole story on this machine, with no account anywhere"
    parser = commands.add_parser("demo", help=text, description=text)
    parser.set_defaults(func=run)


def run(_arguments: argparse.Namespace) -> int:
    """Start the sandbox, fill the sample programme, serve, and print where to look."""
    chosen = settings.load()
    logs.install(chosen)
    require_free_port(chosen.listen)
    folder = chosen.var_dir / "demo"
    folder.mkdir(parents=True, exist_ok=True)
    # until the children are looked after, a signal must still end them: make it an exception
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    sandbox = _sandbox(folder / "sandbox", chosen.base_url)
    start(sandbox)
    try:
        logins = _logins(folder / "logins.json")
        pins_by_email = _pins(folder / "pins.json")
        begin = _fill(chosen, folder, logins, pins_by_email)  # while the sandbox makes its keys
        addresses = _addresses(sandbox, folder / "sandbox" / "sandbox.json")
        environ = _environ(chosen, folder, addresses)
    except BaseException:
        if sandbox.process is not None:
            sandbox.process.terminate()
        raise
    threading.Thread(
        target=_announce, args=(chosen, addresses, _signing_in(logins, pins_by_email), begin), daemon=True
    ).start()
    return keep_running([sandbox, *parts(environ)])


def _sandbox(folder: Path, base_url: str) -> Child:
    arguments = ["-m", "app.sandbox", "--folder", str(folder), "--product-url", base_url]
    arguments += ["--end-with", str(os.getpid()), "--pass-type", shop.PASS_TYPE, "--team", shop.TEAM]
    return Child(name="sandbox", arguments=arguments, quiet=True)


def _addresses(sandbox: Child, file: Path) -> dict[str, Any]:
    """What the sandbox says of itself once it is ready."""
    process: subprocess.Popen[bytes] | None = sandbox.process
    deadline = time.monotonic() + READY_WITHIN_S
    while time.monotonic() < deadline and process is not None:
        if process.poll() is not None:
            raise ConfigurationError("the sandbox wallets could not start; see the lines above")
        try:
            found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
            if found.get("pid") == process.pid:
                return found
        except (OSError, ValueError):
            pass
        time.sleep(0.05)
    raise ConfigurationError(f"the sandbox wallets were not ready within {READY_WITHIN_S} s; try again")


def _environ(chosen: Settings, folder: Path, addresses: dict[str, Any]) -> dict[str, str]:
    """The settings by which the product meets the sandbox: addresses, and nothing else."""
    return {
        "TESSERA_DATABASE_URL": f"sqlite:///{folder / 'tessera.db'}",
        "TESSERA_VAR_DIR": str(folder),
        "TESSERA_CERTS_DIR": str(Path(addresses["identities"][shop.PASS_TYPE]).parent),
        "TESSERA_BASE_URL": chosen.base_url,
        "TESSERA_LISTEN": chosen.listen,
        "TESSERA_APNS_URL": addresses["apns_url"],
        "TESSERA_APNS_CA_FILE": addresses["ca_file"],
        "TESSERA_GOOGLE_WALLET_URL": addresses["google_url"],
        "TESSERA_GOOGLE_CREDENTIALS": addresses["google_credentials"],
        "TESSERA_GOOGLE_ISSUER_ID": addresses["google_issuer_id"],
        "TESSERA_GOOGLE_ROOT_KEYS_URL": addresses["root_keys_url"],
        "TESSERA_GOOGLE_SAVE_URL": addresses["save_url_prefix"].rstrip("/"),
    }


def _logins(file: Path) -> dict[str, str]:
    """A password for each sample account, made on the first start and kept."""
    found: dict[str, str] = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    missing = [email for email, _, _ in shop.STAFF if email not in found]
    if missing:
        found |= {email: secrets.token_urlsafe(9) for email in missing}
        file.touch(mode=0o600)
        file.write_text(json.dumps(found, indent=2), encoding="utf-8")
    return found


def _pins(file: Path) -> dict[str, str]:
    """PINs for taking a till over, made on the first start and kept; no two are the same."""
    if not file.exists():
        four_digits = secrets.SystemRandom().sample(range(2001, 9999, 7), len(shop.AT_A_STORE))
        made = {f"{role}@demo.example": str(pin) for role, pin in zip(shop.AT_A_STORE, four_digits, strict=True)}
        file.touch(mode=0o600)
        file.write_text(json.dumps(made, indent=2), encoding="utf-8")
    found: dict[str, str] = json.loads(file.read_text(encoding="utf-8"))
    return found


def _give_pins(world: World, logins: dict[str, str], pins_by_email: dict[str, str]) -> None:
    """Let the people at the till have their PINs; who has one, or another password by now, is left alone."""
    with world.database.reading() as session:
        people = [staff.by_email(session, email) for email in pins_by_email]
        without = [one for one in people if one is not None and not pins.has_pin(session, one.id)]
    for one in without:
        try:
            pins.set_own(world, one.id, pins_by_email[one.email], password=logins[one.email])
        except AppError as refusal:
            LOGGER.info("no PIN for %s: %s", one.email, refusal.public)


def _fill(chosen: Settings, folder: Path, logins: dict[str, str], pins_by_email: dict[str, str]) -> Begin:
    """Make the sample, if it is not there, and read where a newcomer begins."""
    own = replace(chosen, database_url=f"sqlite:///{folder / 'tessera.db'}", var_dir=folder)
    prepare(own)
    world = open_world(own)
    try:
        with world.database.unit_of_work() as session:
            filling.fill(session, logins, now=world.clock())
        _give_pins(world, logins, pins_by_email)
        with world.database.reading() as session:
            return filling.begin(session)
    finally:
        world.database.close()


def _signing_in(logins: dict[str, str], pins_by_email: dict[str, str]) -> list[str]:
    """A line for each sample account."""
    width = max(len(email) for email in logins)
    return [
        f"  {email:{width}}  {logins[email]:14}  {role}"
        + (f", PIN {pins_by_email[email]} at the till" if email in pins_by_email else "")
        for email, role, _ in shop.STAFF
    ]


def _announce(chosen: Settings, addresses: dict[str, Any], logins: list[str], begin: Begin) -> None:
    """Once the service answers, say where to look and how to sign in."""
    base = chosen.base_url
    deadline = time.monotonic() + READY_WITHIN_S
    while time.monotonic() < deadline:
        try:
            if requests.get(f"{base}/readyz", timeout=1).ok:
                break
        except requests.RequestException:
            time.sleep(0.1)
    say(
        "\n".join(
            [
                "",
                "Tessera is running. Open these in a browser:",
                "",
                f"  two phones with wallets   {addresses['pages_url']}/sandbox",
                f"  join page                 {base}/join/{shop.SLUG}",
                f"  poster to print           {base}/join/{shop.SLUG}/poster",
                f"  till                      {base}/till",
                f"  marketing                 {base}/marketing",
                f"  operating                 {base}/admin",
                f"  API                       {base}/api/docs",
                "",
                *_beginnings(base, begin),
                "Sign in with:",
                "",
                *logins,
                "",
                "Ctrl-C stops everything; what you did is kept in var/demo.",
                "",
            ]
        )
    )
    sys.stdout.flush()


def _beginnings(base: str, begin: Begin) -> list[str]:
    """Cards that have something to show, and what can be typed at the till."""
    if not begin.cards:
        return []
    width = max(len(what) for what, _ in begin.cards)
    return [
        "Cards to look at, and to add to a phone (the number is typed at the till):",
        "",
        *(f"  {codes.grouped(card.number)}  {what:{width}}  {base}/c/{card.link}" for what, card in begin.cards),
        f"  {codes.grouped(begin.gift_card)}  a gift card with money on it",
        *([f"  {' or '.join(begin.codes)}: codes for a free coffee, each works once"] if begin.codes else []),
        "",
    ]
