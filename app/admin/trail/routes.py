"""The audit log."""

from typing import Any

from flask import Blueprint, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from app.admin.pages import shown
from app.admin.trail import events
from app.staff import rules
from app.staff.guards import current_staff, requires
from app.web import world

blueprint = Blueprint("admin_audit", __name__, url_prefix="/admin")

LONGEST = 200


@blueprint.get("/audit")
@requires(*rules.ADMIN_READ)
def trail() -> AnyResponse:
    """Who did what."""
    asked = {name: request.args.get(name, "").strip()[:LONGEST] for name in ("actor", "action", "subject")}
    asked = {name: text if text.isprintable() else "" for name, text in asked.items()}
    before = request.args.get("before", "")
    start = int(before) if before.isascii() and before.isdigit() and len(before) < 18 else None
    with world().database.reading() as reading:
        found = events.trail(reading, programme_id=current_staff().programme_id, before=start, **asked)
    chosen: dict[str, Any] = {name: text for name, text in asked.items() if text}
    older = url_for("admin_audit.trail", before=found.older, **chosen) if found.older else ""
    return shown("audit.html", trail=found, asked=asked, chosen=chosen, older=older)
