"""`tessera init`, `migrate`, `user`, `apikey`: setting up an installation."""

import argparse
import getpass
import json
import sys
from typing import TYPE_CHECKING

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app import settings
from app.cards import programmes
from app.cards.models import Programme, Store
from app.commands.serving import prepare
from app.errors import NotFound, Unprocessable
from app.staff import rules
from app.staff import service as staff
from app.staff.models import ROLES, Staff
from app.world import World, open_world

if TYPE_CHECKING:
    Parsers = argparse._SubParsersAction[argparse.ArgumentParser]


def add_parsers(commands: "Parsers") -> None:
    """The commands that set an installation up."""
    first = commands.add_parser("init", help="migrate, create the first owner, say what is still to configure")
    first.add_argument("--email", help="the owner's e-mail address (asked for otherwise)")
    first.set_defaults(func=init)
    commands.add_parser("migrate", help="bring the database to this release's shape").set_defaults(func=migrate)
    user = commands.add_parser("user", help="staff").add_subparsers(dest="verb", required=True)
    add = user.add_parser(
        "add", help="add somebody who works here; asks for a password or reads it from standard input"
    )
    add.add_argument("--email", required=True)
    add.add_argument("--role", required=True, choices=ROLES)
    add.add_argument("--name", default="")
    add.add_argument("--programme", help="slug; every programme otherwise")
    add.add_argument("--store", help="name or id; every store otherwise")
    add.set_defaults(func=user_add)
    _add_key_parsers(commands)


def _add_key_parsers(commands: "Parsers") -> None:
    key = commands.add_parser("apikey", help="integrators' keys").add_subparsers(dest="verb", required=True)
    create = key.add_parser("create", help="make a key and print it once")
    create.add_argument("--name", required=True)
    create.add_argument("--scope", default="write", choices=("read", "write", "admin"))
    create.add_argument("--programme", help="slug; every programme otherwise")
    create.add_argument("--json", action="store_true")
    create.set_defaults(func=key_create)
    listing = key.add_parser("list", help="keys, without their secrets")
    listing.add_argument("--json", action="store_true")
    listing.set_defaults(func=key_list)
    revoke = key.add_parser("revoke", help="end a key at once")
    revoke.add_argument("id")
    revoke.set_defaults(func=key_revoke)


def init(arguments: argparse.Namespace) -> int:
    """Migrate, make the first owner, and print what is still to do."""
    chosen = settings.load()
    prepare(chosen)
    world = open_world(chosen)
    with world.database.reading() as session:
        owners = session.scalar(select(func.count()).select_from(Staff).where(Staff.role == "owner"))
    if owners:
        say("There is an owner already; the database is up to date.")
    elif email := arguments.email or _asked("E-mail address of the owner: "):
        _add(world, email=email, role="owner", name="", programme=None, store=None)
        say(f"Owner {email} created. Sign in at {chosen.base_url}/login")
    else:
        say("The database is ready. It has no owner yet: tessera user add --email you@example.com --role owner")
    say("Next: `tessera doctor` says what is still to configure, one line for each finding.")
    return 0


def migrate(_arguments: argparse.Namespace) -> int:
    """Safe to run twice, and from several machines at once."""
    prepare(settings.load())
    say("The database is in this release's shape.")
    return 0


def user_add(arguments: argparse.Namespace) -> int:
    """Add a member of staff."""
    world = _world()
    _add(
        world,
        email=arguments.email,
        role=arguments.role,
        name=arguments.name,
        programme=arguments.programme,
        store=arguments.store,
    )
    say(f"{arguments.email} can sign in as {arguments.role} at {world.settings.base_url}/login")
    return 0


def key_create(arguments: argparse.Namespace) -> int:
    """Print the key once; only its digest is kept."""
    world = _world()
    with world.database.unit_of_work() as session:
        programme = _programme(session, arguments.programme)
        row, text = staff.create_key(
            session,
            name=arguments.name,
            scope=arguments.scope,
            programme_id=programme.id if programme else None,
            now=world.clock(),
        )
    if arguments.json:
        say(json.dumps({"id": row.public_id, "name": row.name, "scope": row.scope, "key": text}))
    else:
        say(f"{text}\nKeep it now: it is not shown again. Id {row.public_id}, scope {row.scope}.")
    return 0


def key_list(arguments: argparse.Namespace) -> int:
    """List keys with their state."""
    world = _world()
    with world.database.reading() as session:
        rows = [
            {
                "id": key.public_id,
                "name": key.name,
                "scope": key.scope,
                "created_at": key.created_at.isoformat(),
                "revoked_at": key.revoked_at.isoformat() if key.revoked_at else None,
            }
            for key in staff.keys(session)
        ]
    if arguments.json:
        say(json.dumps(rows))
    for row in [] if arguments.json else rows:
        say(f"{row['id']}  {row['scope']:5}  {'revoked' if row['revoked_at'] else 'live':7}  {row['name']}")
    return 0


def key_revoke(arguments: argparse.Namespace) -> int:
    """End a key; calls with it are answered 401 from now on."""
    world = _world()
    with world.database.unit_of_work() as session:
        staff.revoke_key(session, arguments.id, now=world.clock())
    say(f"{arguments.id} is revoked.")
    return 0


def say(text: str) -> None:
    """Print a line for people or scripts."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def _world() -> World:
    chosen = settings.load()
    prepare(chosen)
    return open_world(chosen)


def _add(world: World, *, email: str, role: str, name: str, programme: str | None, store: str | None) -> None:
    password = _password()
    with world.database.unit_of_work() as session:
        chosen = _programme(session, programme)
        place = _store(session, chosen, store)
        staff.add_staff(
            session,
            email=email,
            name=name or email.partition("@")[0],
            role=role,
            password=password,
            programme=chosen,
            store=place,
            now=world.clock(),
        )


def _asked(question: str) -> str:
    """What a person answers; empty where nobody is there to be asked."""
    try:
        return input(question).strip()
    except EOFError:
        return ""


def _password() -> str:
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    first = getpass.getpass(f"Password (at least {rules.SHORTEST_PASSWORD} characters): ")
    if getpass.getpass("Once more: ") != first:
        raise Unprocessable("passwords_differ", "The two passwords differ; run the command again.")
    return first


def _programme(session: Session, name: str | None) -> Programme | None:
    if name is None:
        return None
    found = programmes.by_name(session, name)
    if found is None:
        raise NotFound("unknown_programme", f"There is no programme named {name}.")
    return found


def _store(session: Session, programme: Programme | None, name: str | None) -> Store | None:
    if name is None:
        return None
    query = select(Store).where((Store.name == name) | (Store.public_id == name))
    found = session.scalars(query.where(Store.programme_id == programme.id) if programme else query).all()
    if len(found) != 1:
        raise NotFound("unknown_store", f"There is no one store named {name}; name its --programme too.")
    return found[0]
