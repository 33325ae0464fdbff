"""Webhooks: who is told of events, and what became of what was sent."""

from sqlalchemy import select

from app.api import incoming, listing, paging, webhook_shapes
from app.api.calls import Body, Call, Operation, unknown
from app.cards.models import Programme
from app.errors import NotFound
from app.settings import Settings
from app.webhooks import deliveries, endpoints
from app.webhooks.models import Endpoint

DELIVERY_LATER = "Whatever is sent leaves within seconds; read the deliveries to see what became of it."


def check_address(settings: Settings, body: Body) -> None:
    """See that a webhook may go where the body says."""
    if body.get("url"):
        endpoints.check_url(body["url"], settings)


def create_webhook(call: Call) -> Body:
    """Add an endpoint, of one programme or of all that the key sees."""
    body = dict(call.body)
    name = body.pop("programme")
    programme_id = call.programme(name).id if name else call.caller.programme_id
    made, secret = endpoints.create(call.session, programme_id=programme_id, now=call.now, **body)
    call.record("webhook_created", f"webhook:{made.public_id}", events=made.events)
    return {**_shown(call, made), "secret": secret}


def read_webhook(call: Call) -> Body:
    """One endpoint."""
    return _shown(call, _seen(call))


def list_webhooks(call: Call) -> Body:
    """The endpoints that the key may see."""
    query = (
        select(Endpoint, Programme.public_id)
        .outerjoin(Programme, Programme.id == Endpoint.programme_id)
        .where(Endpoint.state != "deleted")
    )
    return listing.answer(call, "webhooks", query, Endpoint, webhook_shapes.webhook)


def change_webhook(call: Call) -> Body:
    """Change what is given."""
    endpoint = _seen(call, to_change=True)
    endpoints.change(call.session, endpoint, **call.body)
    changed = sorted(name for name, value in call.body.items() if value is not None)
    call.record("webhook_changed", f"webhook:{endpoint.public_id}", fields=changed, state=endpoint.state)
    return _shown(call, endpoint)


def delete_webhook(call: Call) -> None:
    """End an endpoint."""
    endpoint = _seen(call, to_change=True)
    endpoints.remove(call.session, endpoint)
    call.record("webhook_deleted", f"webhook:{endpoint.public_id}")


def rotate_secret(call: Call) -> Body:
    """A new secret; the present one signs beside it for a day."""
    endpoint = _seen(call, to_change=True)
    secret = endpoints.rotate(call.session, endpoint, now=call.now)
    call.record("webhook_secret_rotated", f"webhook:{endpoint.public_id}")
    return {**_shown(call, endpoint), "secret": secret}


def test_webhook(call: Call) -> Body:
    """Send a ping."""
    endpoint = _seen(call, to_change=True)
    name = endpoints.ping(call.session, endpoint, now=call.now)
    return webhook_shapes.delivery(deliveries.one(call.session, endpoint, name))


def list_deliveries(call: Call) -> Body:
    """What was sent to an endpoint, the newest first."""
    endpoint = _seen(call)
    name, limit = f"deliveries of {endpoint.public_id}", call.query["limit"]
    cursor = call.query["cursor"]
    before = int(paging.place_of(call.vault, name, cursor)) if cursor else None
    found = deliveries.listed(call.session, endpoint, before=before, limit=limit + 1)
    items, following = paging.page(call.vault, name, found, limit, place=lambda one: one.sequence)
    return paging.answer([webhook_shapes.delivery(one) for one in items], following)


def replay_delivery(call: Call) -> Body:
    """Send one delivery again."""
    endpoint = _seen(call, to_change=True)
    name = call.path["delivery"]
    try:
        again = deliveries.replay(call.session, endpoint, name, now=call.now)
    except NotFound:
        raise unknown("delivery", name) from None
    return webhook_shapes.delivery(again)


def replay_span(call: Call) -> Body:
    """Send what happened in a span of time again."""
    endpoint = _seen(call, to_change=True)
    return {"count": deliveries.replay_range(call.session, endpoint, now=call.now, **call.body)}


def _seen(call: Call, *, to_change: bool = False) -> Endpoint:
    name = call.path["webhook"]
    try:
        found = endpoints.by_id(call.session, name, to_change=to_change)
    except NotFound:
        raise unknown("webhook", name) from None
    if call.caller.programme_id not in (None, found.programme_id):
        raise unknown("webhook", name)
    return found


def _shown(call: Call, endpoint: Endpoint) -> Body:
    owner = select(Programme.public_id).where(Programme.id == endpoint.programme_id)
    return webhook_shapes.webhook(endpoint, call.session.scalar(owner))


OPERATIONS = (
    Operation(
        method="POST",
        rule="/webhooks",
        name="create_webhook",
        summary="Be told of events",
        description=(
            "Each event is posted as JSON, signed as Standard Webhooks say. The secret is in this answer and shown "
            "once. Without a programme, a key for every programme gets the events of all of them and the alarms."
        ),
        tag="webhooks",
        scope="admin",
        work=create_webhook,
        prepare=check_address,
        holds_secret=True,
        body=webhook_shapes.NewWebhook,
        answer=webhook_shapes.WebhookWithSecret,
        status=201,
    ),
    Operation(
        method="GET",
        rule="/webhooks",
        name="list_webhooks",
        summary="List webhooks",
        tag="webhooks",
        scope="admin",
        work=list_webhooks,
        query=incoming.PageOfProgramme,
        answer=webhook_shapes.WebhookPage,
    ),
    Operation(
        method="GET",
        rule="/webhooks/<webhook>",
        name="read_webhook",
        summary="Read a webhook",
        tag="webhooks",
        scope="admin",
        work=read_webhook,
        answer=webhook_shapes.Webhook,
    ),
    Operation(
        method="PATCH",
        rule="/webhooks/<webhook>",
        name="change_webhook",
        summary="Change a webhook, or switch it on or off",
        description="What is left out stays. Switching on, or another url, forgets the failures before.",
        tag="webhooks",
        scope="admin",
        work=change_webhook,
        prepare=check_address,
        body=webhook_shapes.ChangedWebhook,
        answer=webhook_shapes.Webhook,
    ),
    Operation(
        method="DELETE",
        rule="/webhooks/<webhook>",
        name="delete_webhook",
        summary="End a webhook",
        description="What waits for it is not sent any more.",
        tag="webhooks",
        scope="admin",
        work=delete_webhook,
        status=204,
    ),
    Operation(
        method="POST",
        rule="/webhooks/<webhook>/rotate",
        name="rotate_webhook_secret",
        summary="Give a webhook a new secret",
        description="For 24 hours both secrets sign, so that the receiver can change over without losing anything.",
        tag="webhooks",
        scope="admin",
        work=rotate_secret,
        holds_secret=True,
        answer=webhook_shapes.WebhookWithSecret,
    ),
    Operation(
        method="POST",
        rule="/webhooks/<webhook>/test",
        name="test_webhook",
        summary="Send a ping",
        description=DELIVERY_LATER,
        tag="webhooks",
        scope="admin",
        work=test_webhook,
        answer=webhook_shapes.WebhookDelivery,
        status=202,
    ),
    Operation(
        method="GET",
        rule="/webhooks/<webhook>/deliveries",
        name="list_webhook_deliveries",
        summary="List what was sent, the newest first",
        description="Deliveries are kept for 30 days, and what they carried for 14.",
        tag="webhooks",
        scope="admin",
        work=list_deliveries,
        query=incoming.Page,
        answer=webhook_shapes.WebhookDeliveryPage,
    ),
    Operation(
        method="POST",
        rule="/webhooks/<webhook>/deliveries/<delivery>/replay",
        name="replay_webhook_delivery",
        summary="Send one delivery again",
        description=f"Under the same webhook-id. {DELIVERY_LATER}",
        tag="webhooks",
        scope="admin",
        work=replay_delivery,
        answer=webhook_shapes.WebhookDelivery,
        status=202,
    ),
    Operation(
        method="POST",
        rule="/webhooks/<webhook>/replay",
        name="replay_webhook_span",
        summary="Send the events of a span of time again",
        description=(
            "Events of the last 14 days, of the kinds that the webhook asks for; also those that it missed while it "
            f"was off. At most 10,000 at once. {DELIVERY_LATER}"
        ),
        tag="webhooks",
        scope="admin",
        work=replay_span,
        body=webhook_shapes.Span,
        answer=webhook_shapes.Replayed,
        status=202,
    ),
)
