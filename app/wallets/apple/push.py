"""The channel to APNs: tells each phone once that there is something new, and forgets phones that are gone."""

import logging
import os
import threading
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from prometheus_client import Counter
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from app.cards.models import Card, Programme
from app.errors import AppError
from app.offers import service as offers
from app.offers.models import Offer
from app.outbox.claims import Claim, Claimed
from app.outbox.models import Target
from app.outbox.rules import Lane, looks_like_wrong_credential
from app.wallets.apple import registrations
from app.wallets.apple.client import Access, ApnsClient, Wake, Woken
from app.wallets.apple.issuer import issuer
from app.wallets.apple.models import Device
from app.wallets.apple.tokens import ProviderTokens
from app.wallets.channel import Errand, Result
from app.world import World
from passes.apple.push import Scope
from passes.errors import IdentityError
from passes.outcome import Outcome

LOGGER = logging.getLogger(__name__)
UNINSTALLED = Counter("tessera_uninstalls", "Phones that no longer hold any of our cards.", ["channel"])
SUSPICIOUS = "Suspiciously many phones are reported gone at once: is this the right certificate? Nothing was deleted."


@dataclass(frozen=True, kw_only=True)
class Phone:
    """Where one errand goes. `registered_at` is when the phone last named this token to us."""

    device_id: int
    push_token: str
    registered_at: datetime
    team: str
    expires_at: datetime | None


class AppleChannel:
    """Implements `Channel`. Each thread that pushes has its own connection for each credential."""

    name = "apple"

    def __init__(self, world: World) -> None:
        self._world = world
        self._local = threading.local()
        key_file, key_id = world.settings.apns_key_file, world.settings.apns_key_id
        self._tokens = ProviderTokens(key_file, key_id=key_id, clock=world.clock) if key_file and key_id else None

    def credential(self, name: str) -> str:
        """A digest of what pushes for a pass type would be sent with now, or why there is nothing."""
        if self._tokens is not None:
            return self._tokens.digest()
        try:
            return issuer(self._world).identities.credential(name, at=self._world.clock()).fingerprint
        except AppError as refusal:
            return refusal.public

    def prepare(self, session: Session, claim: Claim, *, now: datetime) -> list[Errand]:
        """Read token and version of each target; rows whose phone or card is gone yield nothing."""
        devices = _devices(session, claim.rows)
        cards = _cards(session, claim.rows)
        live = self._announced(session, claim, cards, now)
        errands = []
        for target in claim.rows:
            device, known = devices.get(target.address_id), cards.get(target.card_id or 0)
            if device is None or known is None:
                continue
            card, programme = known
            phone = Phone(
                device_id=device.id,
                push_token=device.push_token,
                registered_at=device.token_updated_at,
                team=programme.team_identifier,
                expires_at=_expiry(live.get(programme.id, ()), card) if claim.lane is Lane.BULK else None,
            )
            errands.append(Errand(claim, target, card.version, phone))
        return errands

    def push(self, errands: Sequence[Errand]) -> list[Result]:
        """Wake every distinct phone once for each pass type; all rows of that phone share its answer."""
        by_topic: dict[tuple[str, str], list[Errand]] = defaultdict(list)
        for errand in errands:
            by_topic[errand.claim.sender.name, errand.payload.team].append(errand)
        return [result for (topic, team), some in by_topic.items() for result in self._push_topic(topic, team, some)]

    def settled(self, session: Session, results: Sequence[Result], *, now: datetime) -> None:
        """Forget dead tokens for all cards of their phone, unless the phone has registered again since."""
        for result in results:
            if result.outcome is not Outcome.GONE:
                continue
            phone: Phone = result.errand.payload
            dead_since: datetime = result.facts.get("dead_since") or phone.registered_at
            removed = registrations.forget_token(session, phone.push_token, dead_since=dead_since)
            if removed:
                UNINSTALLED.labels(self.name).inc(removed)
                LOGGER.info("a phone no longer takes pushes; its cards were let go", extra={"device": phone.device_id})
            _revive_if_registered_again(session, result, now)

    def _push_topic(self, topic: str, team: str, errands: Sequence[Errand]) -> list[Result]:
        try:
            client = self._client(topic, team)
            wakes = {errand.payload.push_token: _wake(topic, errand.payload) for errand in errands}
            woken = dict(zip(wakes, client.send(list(wakes.values())), strict=True))
        except (AppError, IdentityError) as refusal:
            reason = refusal.public if isinstance(refusal, AppError) else str(refusal)
            return [_refused(errand, "NoCredential", reason) for errand in errands]
        gone = sum(1 for one in woken.values() if one.answer.outcome is Outcome.GONE)
        if looks_like_wrong_credential(len(woken), gone):
            LOGGER.error("%d of %d phones are reported gone at once", gone, len(woken), extra={"topic": topic})
            return [_suspect(errand, woken[errand.payload.push_token]) for errand in errands]
        return [_result(errand, woken[errand.payload.push_token]) for errand in errands]

    def _client(self, topic: str, team: str) -> ApnsClient:
        """This thread's connection for the credential; a new one after a fork or when the certificate has changed."""
        settings = self._world.settings
        clients: dict[tuple[int, str], tuple[str, ApnsClient]] = self._local.__dict__.setdefault("clients", {})
        if self._tokens is not None:
            slot, digest = (os.getpid(), f"team {team}"), self._tokens.digest()
            access = Access(url=settings.apns_url, ca_file=settings.apns_ca_file)
        else:
            credential = issuer(self._world).identities.credential(topic, at=self._world.clock())
            slot, digest = (os.getpid(), topic), credential.fingerprint
            access = Access(
                url=settings.apns_url,
                ca_file=settings.apns_ca_file,
                chain_pem=credential.chain_pem,
                key_pem=credential.key_pem,
            )
        kept = clients.get(slot)
        if kept is None or kept[0] != digest:
            if kept is not None:
                kept[1].close()
            tokens = self._tokens.of(team) if self._tokens else None
            kept = clients[slot] = (digest, ApnsClient(access, tokens=tokens))
        return kept[1]

    def _announced(
        self,
        session: Session,
        claim: Claim,
        cards: Mapping[int, tuple[Card, Programme]],
        now: datetime,
    ) -> dict[int, list[Offer]]:
        """Live offers of the programmes that have rows in the bulk lane, where offers travel."""
        if claim.lane is not Lane.BULK:
            return {}
        programmes = {programme.id for _, programme in cards.values()}
        return {one: offers.live_in(session, one, now=now) for one in sorted(programmes)}


def _devices(session: Session, targets: Sequence[Claimed]) -> dict[int, Device]:
    ids = sorted({target.address_id for target in targets})
    return {device.id: device for device in session.scalars(select(Device).where(Device.id.in_(ids)))}


def _cards(session: Session, targets: Sequence[Claimed]) -> dict[int, tuple[Card, Programme]]:
    ids = sorted({target.card_id for target in targets if target.card_id is not None})
    rows = select(Card, Programme).join(Programme, Programme.id == Card.programme_id).where(Card.id.in_(ids))
    return {card.id: (card, programme) for card, programme in session.execute(rows)}


def _expiry(live: Sequence[Offer], card: Card) -> datetime | None:
    """A phone that is off while an offer runs need not be woken for it afterwards: its end sends a push of its own."""
    return max((offer.ends_at for offer in live if offers.is_for(offer, card)), default=None)


def _wake(topic: str, phone: Phone) -> Wake:
    return Wake(push_token=phone.push_token, topic=topic, expires_at=phone.expires_at)


def _result(errand: Errand, woken: Woken) -> Result:
    answer = woken.answer
    if answer.outcome is Outcome.REFUSED and answer.scope in {Scope.CONFIGURATION, Scope.CREDENTIAL}:
        return _refused(errand, answer.reason, _breaker(errand, woken), status=answer.status, took_ms=woken.took_ms)
    phone: Phone = errand.payload
    reborn = answer.dead_since is not None and answer.dead_since < phone.registered_at
    # 15 minutes is Apple's advice for a service that is unwell; somebody waits at a till, so the usual backoff is tried
    own_pace = answer.status >= 500 and errand.claim.lane is not Lane.BULK
    return Result(
        errand=errand,
        outcome=Outcome.TRY_AGAIN if reborn else answer.outcome,
        status=answer.status,
        reason=answer.reason or woken.detail[:200],
        retry_after_s=None if own_pace else answer.retry_after_s,
        took_ms=woken.took_ms,
        facts={"dead_since": answer.dead_since, "detail": woken.detail},
    )


def _suspect(errand: Errand, woken: Woken) -> Result:
    if woken.answer.outcome is not Outcome.GONE:
        return _result(errand, woken)
    return _refused(errand, woken.answer.reason, SUSPICIOUS, status=woken.answer.status, took_ms=woken.took_ms)


def _refused(errand: Errand, reason: str, breaker: str, *, status: int = 0, took_ms: int = 0) -> Result:
    return Result(
        errand=errand, outcome=Outcome.REFUSED, status=status, reason=reason, breaker=breaker, took_ms=took_ms
    )


def _breaker(errand: Errand, woken: Woken) -> str:
    said = woken.detail or f"{woken.answer.status} {woken.answer.reason}"
    what = "the topic" if woken.answer.scope is Scope.CONFIGURATION and woken.answer.status else "the credential"
    return f"APNs does not accept {what} of {errand.claim.sender.name}: {said}. Check it with: tessera doctor"


def _revive_if_registered_again(session: Session, result: Result, now: datetime) -> None:
    """A phone that registered while the push was under way stays: the answer was about the token it had before."""
    if registrations.is_registered(
        session, device_id=result.errand.target.address_id, card_id=result.errand.target.card_id or 0
    ):
        now_ms = int(now.timestamp() * 1000)
        session.execute(
            update(Target)
            .where(Target.id == result.errand.target.id, Target.state == "gone")
            .values(state="live", lease=None, attempts=0, not_before=now_ms)
            .execution_options(synchronize_session=False)
        )
