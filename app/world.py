"""The parts every room is given: settings, database, clock, keys."""

from dataclasses import dataclass

from app import failpoints
from app.clock import Clock, system_clock
from app.db import Database
from app.settings import Settings
from app.vault import Vault, load_secret


@dataclass(frozen=True, kw_only=True, eq=False)
class World:
    """What routes, commands and workers share. Made once for each process by `open_world`; equal to itself alone."""

    settings: Settings
    database: Database
    clock: Clock
    vault: Vault


def open_world(settings: Settings, *, clock: Clock = system_clock) -> World:
    """Open the database and the keys that the settings name."""
    failpoints.arm(settings.failpoint)
    vault = Vault(load_secret(settings.secret_key, settings.var_dir))
    database = Database(settings.database_url, info={"vault": vault, "windows": settings.windows_ms})
    return World(settings=settings, database=database, clock=clock, vault=vault)
