"""What is wrong, and how the whole installation is."""

from dataclasses import dataclass
from datetime import datetime

from flask import Blueprint, request
from werkzeug.wrappers import Response as AnyResponse

from app.admin import gate, words
from app.admin.pages import ago, shown
from app.admin.watch import deep
from app.alarms import service as alarms
from app.alarms import words as alarm_words
from app.alarms.models import Alarm
from app.i18n import translate
from app.staff import rules
from app.staff.guards import current_staff, requires
from app.web import world

blueprint = Blueprint("admin_watch", __name__, url_prefix="/admin")

MENDED_AT = {
    "urgent_late": "/admin/deliveries#late",
    "normal_late": "/admin/deliveries#late",
    "breaker_open": "/admin/deliveries#senders",
    "credential_refused": "/admin/certificates",
    "wrong_topic": "/admin/certificates",
    "wrong_team": "/admin/certificates",
    "gone_guard": "/admin/deliveries#senders",
    "gone_jump": "/admin/deliveries#sends",
    "credential_expires": "/admin/certificates",
    "credential_broken": "/admin/certificates",
    "credential_standby": "/admin/certificates",
    "google_key": "/admin/certificates",
    "parked": "/admin/deliveries?cause=parked#late",
    "sending_stopped": "/admin/deliveries#switches",
    "all_sending_stopped": "/admin/deliveries#switches",
    "webhook_disabled": "/admin/webhooks",
}


@dataclass(frozen=True, kw_only=True)
class Told:
    """An alarm in the reader's language."""

    tone: str
    title: str
    meaning: str
    mend: str
    href: str
    raised_at: datetime
    cleared_at: datetime | None


def told(alarm: Alarm) -> Told:
    """What the reader is told of an alarm."""
    return Told(
        tone=alarm.severity,
        title=translate(alarm_words.title(alarm.kind, alarm.values)),
        meaning=translate(alarm_words.meaning(alarm.kind, alarm.values)),
        mend=translate(alarm_words.mend(alarm.kind, alarm.values)),
        href=MENDED_AT.get(alarm.kind, ""),
        raised_at=alarm.raised_at,
        cleared_at=alarm.cleared_at,
    )


@blueprint.get("/alarms")
@requires(*rules.ADMIN_READ)
def alarm_list() -> AnyResponse:
    """What is wrong, what that means for customers, what mends it; and what is over."""
    parts, me, now = world(), current_staff(), world().clock()
    gate.check_programme(parts, me, None, subject=f"{request.method} {request.path}")
    with parts.database.reading() as reading:
        now_open = [told(one) for one in alarms.seen_now(parts, reading, now=now)]
        over = [told(one) for one in alarms.cleared(reading)]
    return shown("alarms.html", alarms=now_open, over=over, now=now, ago=ago)


@blueprint.get("/health")
@requires(*rules.ADMIN_READ)
def health() -> AnyResponse:
    """Broker, lanes, certificates, backup, disk, processes."""
    parts, me, now = world(), current_staff(), world().clock()
    gate.check_programme(parts, me, None, subject=f"{request.method} {request.path}")
    with parts.database.reading() as reading:
        found = deep.look(parts, reading, now=now)
    return shown("health.html", deep=found, alarms=[told(one) for one in found.alarms], words=words, now=now, ago=ago)
