"""Webhooks in bodies, answers and the description of the API."""

from datetime import UTC, datetime
from typing import Any

from marshmallow import Schema, fields, validate

from app.api import incoming, outgoing
from app.api.calls import Body
from app.api.fields import Moment, Text, YesNo, optional
from app.api.shapes import moment
from app.webhooks import kinds
from app.webhooks.addresses import LONGEST_URL
from app.webhooks.deliveries import Delivery
from app.webhooks.endpoints import LONGEST_DESCRIPTION
from app.webhooks.models import Endpoint

ONE_KIND = validate.OneOf(kinds.ALL, error=f"An event is one of {', '.join(kinds.ALL)}.")
ADDRESS = incoming.told("https, port 443, a public address", example="https://shop.example.com/hooks/tessera")
STATES = ("waiting", "sent", "parked", "failed")


def kinds_wanted(**kwargs: Any) -> fields.Field[Any]:
    """A list of kinds of events, none twice."""
    return fields.List(
        Text(longest=40, validate=[ONE_KIND]),
        validate=[validate.Length(min=1, max=len(kinds.ALL), error="Name at least one event, each of them once.")],
        error_messages={"invalid": 'Write a list, for example ["transaction.created"].'},
        **kwargs,
    )


class NewWebhook(incoming.Strict):
    url = Text(shortest=1, longest=LONGEST_URL, required=True, metadata=ADDRESS)
    programme = optional(
        Text(longest=80, load_default=None, metadata=incoming.told("Id or slug; left out: all that the key sees"))
    )
    events = optional(kinds_wanted(load_default=None, metadata=incoming.told("Every kind, if left out")))
    description = Text(longest=LONGEST_DESCRIPTION, load_default="")


class ChangedWebhook(incoming.Strict):
    url = optional(Text(shortest=1, longest=LONGEST_URL, load_default=None, metadata=ADDRESS))
    events = optional(kinds_wanted(load_default=None))
    description = optional(Text(longest=LONGEST_DESCRIPTION, load_default=None))
    enabled = optional(YesNo(load_default=None))


class Span(incoming.Strict):
    since = Moment(required=True)
    until = Moment(required=True)


class Webhook(Schema):
    id = outgoing.text()
    url = outgoing.text()
    programme = outgoing.text(null=True, description="null: the whole installation")
    events = fields.List(outgoing.one_of(*kinds.ALL), required=True)
    description = outgoing.text()
    state = outgoing.one_of("enabled", "disabled")
    disabled_because = outgoing.text(
        null=True,
        description="operator; gone (it answered 410); failing (it failed for five days)",
    )
    failing_since = outgoing.moment(null=True)
    last_status = outgoing.whole(null=True)
    last_reason = outgoing.text(
        null=True, description="Why the last attempt failed: a status, or a word such as timeout"
    )
    last_at = outgoing.moment(null=True)
    old_secret_until = outgoing.moment(null=True)
    created_at = outgoing.moment()


class WebhookWithSecret(Webhook):
    secret = outgoing.text(description="Shown this once: whsec_ and base64")


class WebhookDelivery(Schema):
    id = outgoing.text()
    event = outgoing.text(description="The webhook-id under which it is sent, and the id in its body")
    type = outgoing.text(null=True, description="null once what was sent has been forgotten, after 14 days")
    sequence = outgoing.whole()
    state = outgoing.one_of(*STATES)
    attempts = outgoing.whole()
    status = outgoing.whole(null=True)
    reason = outgoing.text(null=True)
    took_ms = outgoing.whole()
    created_at = outgoing.moment()
    last_at = outgoing.moment(null=True)
    next_at = outgoing.moment(null=True)


class Replayed(Schema):
    count = outgoing.whole()


WebhookPage = outgoing.pages_of(Webhook)
WebhookDeliveryPage = outgoing.pages_of(WebhookDelivery)


def webhook(row: Endpoint, owner: str | None) -> Body:
    return {
        "id": row.public_id,
        "url": row.url,
        "programme": owner,
        "events": row.events,
        "description": row.description,
        "state": row.state,
        "disabled_because": row.reason or None,
        "failing_since": _at(row.failing_since),
        "last_status": row.last_status or None,
        "last_reason": _reason(row.last_status, row.last_reason),
        "last_at": _at(row.last_at),
        "old_secret_until": _at(row.old_until),
        "created_at": moment(row.created_at),
    }


def delivery(one: Delivery) -> Body:
    return {
        "id": one.id,
        "event": one.event_id,
        "type": one.event_kind or None,
        "sequence": one.sequence,
        "state": one.state,
        "attempts": one.attempts,
        "status": one.status or None,
        "reason": _reason(one.status, one.reason),
        "took_ms": one.took_ms,
        "created_at": moment(_instant(one.created_at)),
        "last_at": _at(one.last_at),
        "next_at": _at(one.next_at),
    }


def _reason(status: int, reason: str) -> str | None:
    return None if 200 <= status < 300 else reason or None


def _at(epoch_ms: int) -> str | None:
    return moment(_instant(epoch_ms)) if epoch_ms else None


def _instant(epoch_ms: int) -> datetime:
    return datetime.fromtimestamp(epoch_ms / 1000, UTC)
