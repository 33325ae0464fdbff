"""How long a lane gathers changes before it sends; an installation's own settings, or the usual ones."""

from collections.abc import Mapping, Sequence

from sqlalchemy.orm import Session

from app.outbox.rules import WINDOW_MS, Lane


def windows_of(session: Session) -> Mapping[Lane, int]:
    """Milliseconds by lane, as the session's database was opened with."""
    given: Sequence[int] | None = session.info.get("windows")
    return WINDOW_MS if given is None else dict(zip(Lane, given, strict=True))
