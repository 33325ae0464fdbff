"""One call of the API as plain values, and what an operation declares about itself."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from marshmallow import Schema
from sqlalchemy.orm import Session

from app.api.bodies import BODY_BYTES
from app.cards import programmes
from app.cards.models import Programme
from app.errors import NotFound
from app.settings import Settings
from app.staff import audit
from app.vault import Vault

Body = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Caller:
    """Whose key it is. `programme_id` None: it may see every programme."""

    key_id: str
    scope: str
    programme_id: int | None

    @property
    def actor(self) -> str:
        """How the ledger and the audit log name this key."""
        return f"key:{self.key_id}"

    def sees(self, programme_id: int) -> bool:
        return self.programme_id in {None, programme_id}


@dataclass(frozen=True, kw_only=True)
class Call:
    """A request that has passed the door, inside its transaction."""

    session: Session
    caller: Caller
    now: datetime
    settings: Settings
    body: Body = field(default_factory=dict)
    query: Body = field(default_factory=dict)
    path: dict[str, str] = field(default_factory=dict)

    @property
    def vault(self) -> Vault:
        vault: Vault = self.session.info["vault"]
        return vault

    def programme(self, name: str) -> Programme:
        """The programme of that id or slug, if the key may see it.

        Raises: NotFound `unknown_programme`.
        """
        found = programmes.by_name(self.session, name)
        if found is None or not self.caller.sees(found.id):
            raise unknown("programme", name)
        return found

    def record(self, action: str, subject: str, **after: Any) -> None:
        """Write the change into the audit log."""
        audit.record(
            self.session, actor=self.caller.actor, action=action, subject=subject, after=after or None, now=self.now
        )


@dataclass(frozen=True, kw_only=True)
class Operation:
    """One call of the API: how it is asked, what it needs, what it answers.

    `moves_points`: the Idempotency-Key is required and kept for ever. `refusals`: statuses besides those that every
    call of its kind may answer. `prepare` judges a new body where that takes the network, before any transaction.
    `holds_secret`: the answer is kept sealed for who repeats the request. `asks`: it has a body and changes nothing.
    `body_bytes`: the most that a body may have. `media`: what it answers; any but JSON is a text of that type.
    """

    method: str
    rule: str
    name: str
    summary: str
    work: Callable[[Call], Body | str | None]
    tag: str
    scope: str = "read"
    status: int = 200
    answer: type[Schema] | None = None
    body: type[Schema] | None = None
    query: type[Schema] | None = None
    moves_points: bool = False
    prepare: Callable[[Settings, Body], None] | None = None
    holds_secret: bool = False
    body_bytes: int = BODY_BYTES
    refusals: tuple[int, ...] = ()
    description: str = ""
    asks: bool = False
    media: str = "application/json"

    @property
    def writes(self) -> bool:
        """Whether it may change anything."""
        return self.method != "GET" and not self.asks


def unknown(what: str, name: str = "", *, field: str | None = None) -> NotFound:
    """The answer for what does not exist and for what the key may not see: the same."""
    shown = f" {name[:40]}" if name.isascii() and name.isprintable() and name else ""
    text = f"There is no {what}{shown} that this key can see."
    return NotFound(f"unknown_{what}", text, errors={field or what: text})
