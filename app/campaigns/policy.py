"""What holds for all campaigns of a programme: quiet hours, caps, who is held back, and when two must agree."""

from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from app.campaigns.models import MarketingPolicy
from app.cards.models import Programme
from app.earning.windows import CLOCK
from app.errors import Unprocessable
from app.staff import audit

INFORMATION_PER_WEEK = 1
MOST_HELD_BACK_BP = 5000
# fewer than ten people held back can say nothing about the others
HELD_BACK_FROM = 100
DEFAULT_HOLDOUT_BP = 1000


@dataclass(frozen=True, kw_only=True)
class Policy:
    """As it is made. Quiet hours are local times, the same twice for none; caps are rolling; shares in basis points.

    `is_chosen`: somebody has saved it, so its global share holds for few people too.
    """

    quiet_from: str = "21:00"
    quiet_to: str = "09:00"
    cap_day: int = 1
    cap_week: int = 3
    global_holdout_bp: int = 500
    approve_above: int = 500
    is_chosen: bool = False


def of(session: Session, programme_id: int) -> Policy:
    """The policy of a programme."""
    row = session.get(MarketingPolicy, programme_id)
    return Policy() if row is None else _read(row)


def change(session: Session, programme: Programme, policy: Policy, *, by: str, now: datetime) -> Policy:
    """Let another policy hold from now on, for what is planned already too; what was sent stays.

    Raises: Unprocessable `invalid_policy` with a sentence for each faulty field.
    """
    errors = _problems(policy)
    if errors:
        raise Unprocessable("invalid_policy", " ".join(errors.values()), errors=errors)
    before = of(session, programme.id)
    row = session.get(MarketingPolicy, programme.id, with_for_update=True) or MarketingPolicy(programme_id=programme.id)
    values = {name: value for name, value in asdict(policy).items() if name != "is_chosen"}
    for name, value in values.items():
        setattr(row, name, value)
    row.changed_by, row.changed_at = by, now
    session.add(row)
    session.flush()
    changed = [name for name, value in values.items() if getattr(before, name) != value]
    audit.record(
        session, actor=by, action="marketing_policy_changed", subject=f"programme:{programme.public_id}",
        before={name: getattr(before, name) for name in changed}, after={name: values[name] for name in changed},
        now=now,
    )  # fmt: skip
    return _read(row)


def _read(row: MarketingPolicy) -> Policy:
    return Policy(
        quiet_from=row.quiet_from,
        quiet_to=row.quiet_to,
        cap_day=row.cap_day,
        cap_week=row.cap_week,
        global_holdout_bp=row.global_holdout_bp,
        approve_above=row.approve_above,
        is_chosen=True,
    )


def _problems(policy: Policy) -> dict[str, str]:
    errors: dict[str, str] = {}
    for name in ("quiet_from", "quiet_to"):
        if not CLOCK.fullmatch(getattr(policy, name)):
            errors[name] = "Write the time as hours and minutes, such as 17:00."
    if not 0 <= policy.cap_day <= 10:
        errors["cap_day"] = "Somebody is told at most 0 to 10 times in 24 hours."
    if not 0 <= policy.cap_week <= 50:
        errors["cap_week"] = "Somebody is told at most 0 to 50 times in 7 days."
    if not 0 <= policy.global_holdout_bp <= MOST_HELD_BACK_BP:
        errors["global_holdout_bp"] = "From 0 to 50 percent are held back of everything."
    if not 0 <= policy.approve_above <= 10_000_000:
        errors["approve_above"] = "Say above how many people a second person approves: 0 to 10,000,000."
    return errors
