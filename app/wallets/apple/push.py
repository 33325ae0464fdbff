"""The channel to APNs: tells each phone once that there is something new, and forgets phones that are gone."""

import logging
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Any, NamedTuple, cast

from prometheus_client import Counter
from sqlalchemy import BigInteger, Select, Table, select, type_coerce, update
from sqlalchemy.orm import Session

from app.cards.models import Card, Programme
from app.clock import milliseconds
from app.errors import AppError
from app.offers import service as offers
from app.offers.models import Offer
from app.outbox.claims import Claim, ids_given
from app.outbox.models import Target
from app.outbox.rules import Lane, looks_like_wrong_credential
from app.outbox.statements import claimed_ids
from app.wallets.apple import registrations, verdicts
from app.wallets.apple.batches import Wake, Woken
from app.wallets.apple.credentials import Credentials, Sending
from app.wallets.apple.models import Device
from app.wallets.channel import Errand, Result
from app.world import World
from passes.apple.push import Scope
from passes.errors import IdentityError
from passes.outcome import Outcome

LOGGER = logging.getLogger(__name__)
UNINSTALLED = Counter("tessera_uninstalls", "Phones that no longer hold any of our cards.", ["channel"])
SUSPICIOUS = "Suspiciously many phones are reported gone at once: is this the right certificate? Nothing was deleted."


class Phone(NamedTuple):
    """Where one errand goes. `registered_ms` is when the phone last named this token to us."""

    wake: Wake
    registered_ms: int
    team: str

    @property
    def registered_at(self) -> datetime:
        return datetime.fromtimestamp(self.registered_ms / 1000, UTC)


TARGETS, DEVICES = cast("Table", Target.__table__), cast("Table", Device.__table__)
CARDS, PROGRAMMES = cast("Table", Card.__table__), cast("Table", Programme.__table__)


@cache
def _faces(kind: str) -> Select[Any]:
    """What a claim's pushes need to know, in one statement for a kind of database."""
    return (
        select(
            TARGETS.c.id,
            DEVICES.c.push_token,
            type_coerce(DEVICES.c.token_updated_at, BigInteger),
            CARDS.c.version,
            CARDS.c.tier_id,
            CARDS.c.programme_id,
            PROGRAMMES.c.team_identifier,
        )
        .join_from(TARGETS, DEVICES, DEVICES.c.id == TARGETS.c.address_id)
        .join(CARDS, CARDS.c.id == TARGETS.c.card_id)
        .join(PROGRAMMES, PROGRAMMES.c.id == CARDS.c.programme_id)
        .where(TARGETS.c.id == claimed_ids(kind))
    )


class AppleChannel:
    """Implements `Channel`. A process has one connection for each credential, whichever threads push."""

    name = "apple"

    def __init__(self, world: World) -> None:
        self._world = world
        self._credentials = Credentials(world)

    def credential(self, name: str) -> str:
        """A digest of what pushes for a pass type would be sent with now, or why there is nothing."""
        return self._credentials.digest(name)

    def prepare(self, session: Session, claim: Claim, *, now: datetime) -> list[Errand]:
        """Read token and version of each target; rows whose phone or card is gone yield nothing."""
        kind = session.get_bind().dialect.name
        faces = session.connection().execute(_faces(kind), ids_given(kind, claim)).all()
        found = {row[0]: row for row in faces}
        expiries = _expiries(session, {row[5] for row in found.values()}, now) if claim.lane is Lane.BULK else {}
        errands = []
        for target in claim.rows:
            if target.id in found:
                _, token, registered_ms, version, tier_id, programme_id, team = found[target.id]
                ends = expiries.get(programme_id)
                wake = Wake(token, ends.of(tier_id) if ends else 0)
                errands.append(Errand(claim, target, version, Phone(wake, registered_ms, team)))
        return errands

    def push(self, errands: Sequence[Errand]) -> list[Result]:
        """Wake every distinct phone once for each pass type; all rows of that phone share its answer."""
        by_team: dict[str, list[Errand]] = defaultdict(list)
        for errand in errands:
            by_team[errand.payload.team].append(errand)
        return [result for team, some in by_team.items() for result in self._push_team(team, some)]

    def settled(self, session: Session, results: Sequence[Result], *, now: datetime) -> None:
        """Forget dead tokens for all cards of their phone, unless the phone has registered again since."""
        self._credentials.write_news(session, now)
        for result in results:
            if result.outcome is not Outcome.GONE:
                continue
            phone: Phone = result.errand.payload
            dead_since: datetime = result.facts.get("dead_since") or phone.registered_at
            removed = registrations.forget_token(session, phone.wake.push_token, dead_since=dead_since, now=now)
            if removed:
                UNINSTALLED.labels(self.name).inc(removed)
                device = result.errand.target.address_id
                LOGGER.info("a phone no longer takes pushes; its cards were let go", extra={"device": device})
            _revive_if_registered_again(session, result, now)

    def _push_team(self, team: str, errands: Sequence[Errand]) -> list[Result]:
        claim = errands[0].claim
        topic = claim.sender.name
        wakes = {errand.payload.wake.push_token: errand.payload.wake for errand in errands}
        sending_s = (claim.send_until_ms - milliseconds(self._world.clock())) / 1000
        try:
            sending = Sending(list(wakes.values()), topic, team, claim.lane, sending_s)
            woken = self._credentials.send(sending)
        except (AppError, IdentityError) as refusal:
            reason = refusal.public if isinstance(refusal, AppError) else str(refusal)
            return [_refused(errand, "NoCredential", reason) for errand in errands]
        by_token = dict(zip(wakes, woken, strict=True))
        gone = sum(1 for one in woken if one is not None and one.answer.outcome is Outcome.GONE)
        judge = _result
        if looks_like_wrong_credential(len(woken), gone):
            LOGGER.error("%d of %d phones are reported gone at once", gone, len(woken), extra={"topic": topic})
            judge = _suspect
        answered = ((errand, by_token[errand.payload.wake.push_token]) for errand in errands)
        return [judge(errand, one) for errand, one in answered if one is not None]


class _Expiries:
    """Until when a campaign's push should be tried, by tier: the end of the last offer that is live for the card.

    A phone that is off while an offer runs need not be woken for it afterwards: its end sends a push of its own.
    """

    def __init__(self, live: Sequence[Offer]) -> None:
        self._live = live
        self._known: dict[int | None, int] = {}

    def of(self, tier_id: int | None) -> int:
        if tier_id not in self._known:
            ends = (int(one.ends_at.timestamp()) for one in self._live if offers.is_for_tier(one, tier_id))
            self._known[tier_id] = max(ends, default=0)
        return self._known[tier_id]


def _expiries(session: Session, programme_ids: Iterable[int], now: datetime) -> dict[int, _Expiries]:
    """For the bulk lane, where offers travel."""
    return {one: _Expiries(offers.live_in(session, one, now=now)) for one in sorted(programme_ids)}


def _result(errand: Errand, woken: Woken) -> Result:
    answer = woken.answer
    if answer.outcome is Outcome.DELIVERED:
        return Result(errand, Outcome.DELIVERED, 200, took_ms=woken.took_ms)
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
        reason=f"{answer.reason}: {woken.detail}" if woken.detail else answer.reason,
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
    answer = woken.answer
    said = f"{answer.status} {answer.reason}" if answer.status else f"{answer.reason}, {woken.detail}"
    what = "the topic" if answer.scope is Scope.CONFIGURATION and answer.status else "the credential"
    mend = verdicts.mend(answer.reason)
    return f"APNs does not accept {what} of {errand.claim.sender.name}: {said}. {mend} Check it with: tessera doctor"


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
