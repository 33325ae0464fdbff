"""What an operator types of webhooks."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from app.admin.texts import gettext
from app.errors import Unprocessable
from app.webhooks import kinds


@dataclass(frozen=True, kw_only=True)
class WebhookForm:
    """A webhook as typed; `events` are those with a tick."""

    url: str
    description: str
    events: list[str]

    @classmethod
    def parse(cls, form: Mapping[str, str]) -> "WebhookForm":
        events = [kind for kind in kinds.ALL if form.get(f"event-{kind}")]
        return cls(url=form.get("url", "").strip(), description=form.get("description", ""), events=events)


def span(form: Mapping[str, str]) -> tuple[datetime, datetime]:
    """From when until when, both in UTC as this room shows all times.

    Raises: Unprocessable `invalid_range`.
    """
    errors: dict[str, str] = {}
    found: dict[str, datetime] = {}
    for name in ("since", "until"):
        try:
            found[name] = datetime.fromisoformat(form.get(name, "")).replace(tzinfo=UTC)
        except ValueError:
            errors[name] = gettext("Choose a day and a time.")
    if errors:
        raise Unprocessable("invalid_range", " ".join(errors.values()), errors=errors)
    return found["since"], found["until"]
