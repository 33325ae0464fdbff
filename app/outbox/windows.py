"""How long a lane gathers changes before it sends; an installation's own settings, or the usual ones."""

from collections.abc import Mapping

from sqlalchemy.orm import Session

from app.outbox.rules import WINDOW_MS, Lane

WINDOWS = "windows"


def windows_of(session: Session) -> Mapping[Lane, int]:
    """Milliseconds by lane, as the session's database was opened with."""
    found: Mapping[Lane, int] = session.info.get(WINDOWS, WINDOW_MS)
    return found
