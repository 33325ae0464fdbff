"""The addresses that are told: added, changed, given a new secret, ended. All in the caller's transaction."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from app import ids
from app.clock import milliseconds
from app.errors import Conflict, NotFound, Unprocessable
from app.outbox.rules import DAY_MS
from app.settings import Settings
from app.vault import Vault
from app.webhooks import addresses, kinds, listeners, service, signing
from app.webhooks.addresses import Refused, Resolver
from app.webhooks.models import Endpoint

ENDPOINTS_MAX = 20
LONGEST_DESCRIPTION = 200
OLD_SECRET_SIGNS_MS = DAY_MS


def check_url(url: str, settings: Settings, *, resolve: Resolver = addresses.system_resolver) -> None:
    """See that a webhook may go there; asks the name servers, so it is called before any transaction.

    Raises: Unprocessable `webhook_address`, saying why not.
    """
    try:
        addresses.destination(url, allowed=settings.webhook_allow, resolve=resolve)
    except Refused as refusal:
        text = addresses.REFUSALS[refusal.code]
        raise Unprocessable("webhook_address", text, errors={"url": text}) from refusal


def create(
    session: Session,
    *,
    url: str,
    programme_id: int | None,
    events: Sequence[str] | None,
    description: str,
    now: datetime,
) -> tuple[Endpoint, str]:
    """Add an endpoint; it and its secret, which is shown this once. `check_url` has judged its address.

    *events* None: every kind that there is for its programme, or for the whole installation.

    Raises: Unprocessable `invalid_webhook`; Conflict `too_many_webhooks`.
    """
    chosen = _checked(list(kinds.for_scope(programme_id)) if events is None else events, description, programme_id)
    same = alive().where(Endpoint.programme_id.is_not_distinct_from(programme_id)).limit(ENDPOINTS_MAX)
    if len(session.scalars(same).all()) >= ENDPOINTS_MAX:
        raise Conflict("too_many_webhooks", "There are 20 webhooks here already. Delete one that is not used any more.")
    secret = signing.new_secret()
    endpoint = Endpoint(
        public_id=ids.public_id("whk"),
        programme_id=programme_id,
        url=url,
        description=description.strip(),
        events=chosen,
        secret_sealed=_vault(session).seal(secret),
        created_at=now,
    )
    session.add(endpoint)
    _write(session)
    return endpoint, signing.secret_text(secret)


def change(
    session: Session,
    endpoint: Endpoint,
    *,
    url: str | None = None,
    events: Sequence[str] | None = None,
    description: str | None = None,
    enabled: bool | None = None,
) -> None:
    """Change what is given and leave the rest. Enabling, or another address, forgets the failures before.

    Raises: Unprocessable `invalid_webhook`.
    """
    endpoint.events = _checked(
        endpoint.events if events is None else events,
        endpoint.description if description is None else description,
        endpoint.programme_id,
    )
    if description is not None:
        endpoint.description = description.strip()
    if url is not None and url != endpoint.url:
        endpoint.url = url
        _begin_anew(endpoint)
    if enabled is True and endpoint.state == "disabled":
        endpoint.state, endpoint.reason = "enabled", ""
        _begin_anew(endpoint)
    elif enabled is False and endpoint.state == "enabled":
        endpoint.state, endpoint.reason = "disabled", "operator"
    _write(session)


def remove(session: Session, endpoint: Endpoint) -> None:
    """End an endpoint for good: what waits for it is never sent, and its secrets are forgotten."""
    endpoint.state, endpoint.reason = "deleted", ""
    endpoint.secret_sealed, endpoint.old_secret_sealed = b"", None
    _write(session)


def rotate(session: Session, endpoint: Endpoint, *, now: datetime) -> str:
    """Give an endpoint a new secret, shown this once; the present one goes on signing beside it for 24 hours."""
    secret = signing.new_secret()
    endpoint.old_secret_sealed = endpoint.secret_sealed
    endpoint.old_until = milliseconds(now) + OLD_SECRET_SIGNS_MS
    endpoint.secret_sealed = _vault(session).seal(secret)
    _write(session)
    return signing.secret_text(secret)


def ping(session: Session, endpoint: Endpoint, *, now: datetime) -> str:
    """Send an event of kind `ping` to this endpoint alone; the id of the delivery.

    Raises: Conflict `webhook_disabled`.
    """
    require_enabled(endpoint)
    event = service.tell(session, [endpoint.id], programme_id=endpoint.programme_id, kind=kinds.PING, data={}, now=now)
    endpoint.not_before = 0
    _write(session)
    return service.delivery_id(event, endpoint.public_id)


def by_id(session: Session, public_id: str, *, to_change: bool = False) -> Endpoint:
    """An endpoint; locked until the transaction ends, if it is to be changed.

    Raises: NotFound `unknown_webhook`.
    """
    query = alive().where(Endpoint.public_id == public_id)
    endpoint = session.scalars(query.with_for_update() if to_change else query).one_or_none()
    if endpoint is None:
        raise NotFound("unknown_webhook", "There is no such webhook. Open the list of webhooks again.")
    return endpoint


def alive() -> Select[Endpoint]:
    """The endpoints that were not deleted, the oldest first."""
    return select(Endpoint).where(Endpoint.state != "deleted").order_by(Endpoint.id)


def require_enabled(endpoint: Endpoint) -> None:
    """Raises: Conflict `webhook_disabled`."""
    if endpoint.state != "enabled":
        raise Conflict(
            "webhook_disabled", "This webhook is switched off, so nothing is sent to it. Switch it on first."
        )


def secrets_in_use(vault: Vault, endpoint: Endpoint, *, now_ms: int) -> list[bytes]:
    """The secrets that sign at this moment, the newest first."""
    sealed = [endpoint.secret_sealed]
    if endpoint.old_secret_sealed is not None and now_ms < endpoint.old_until:
        sealed.append(endpoint.old_secret_sealed)
    return [vault.open(one) for one in sealed]


def _checked(events: Sequence[str], description: str, programme_id: int | None) -> list[str]:
    known = kinds.for_scope(programme_id)
    errors: dict[str, str] = {}
    if not events:
        errors["events"] = "Choose at least one event."
    elif set(events) & set(kinds.OF_INSTALLATION) - set(known):
        errors["events"] = "Alarms concern the whole installation; a webhook of one programme is not told of them."
    elif set(events) - set(known):
        errors["events"] = "There is no such event. Choose from the list in the description of the API."
    if len(description.strip()) > LONGEST_DESCRIPTION or not description.isprintable():
        errors["description"] = "A description has at most 200 characters, in one line."
    if errors:
        raise Unprocessable("invalid_webhook", " ".join(errors.values()), errors=errors)
    return [one for one in known if one in events]


def _begin_anew(endpoint: Endpoint) -> None:
    endpoint.failures = endpoint.failing_since = endpoint.not_before = 0


def _write(session: Session) -> None:
    session.flush()
    listeners.forget(session)


def _vault(session: Session) -> Vault:
    vault: Vault = session.info["vault"]
    return vault
