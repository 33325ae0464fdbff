"""What somebody typed about a programme's marketing, as a policy or as a sentence for each field that is wrong."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation

from flask_babel import gettext

from app.campaigns.policy import Policy

WHOLE = ("cap_day", "cap_week", "approve_above")
LONGEST_NUMBER = 9


@dataclass(frozen=True, kw_only=True)
class PolicyForm:
    """The fields as typed, what is wrong with them, and the policy when all could be read."""

    values: Mapping[str, str]
    errors: Mapping[str, str] = field(default_factory=dict)
    policy: Policy | None = None

    @classmethod
    def of(cls, policy: Policy) -> "PolicyForm":
        """The form of a policy that holds."""
        values = {name: str(getattr(policy, name)) for name in ("quiet_from", "quiet_to", *WHOLE)}
        return cls(values=values | {"global_holdout": plain_percent(policy.global_holdout_bp)}, policy=policy)

    @classmethod
    def parse(cls, values: Mapping[str, str]) -> "PolicyForm":
        """Read the fields."""
        errors: dict[str, str] = {}
        numbers = {name: _whole(values.get(name, ""), name, errors) for name in WHOLE}
        share = basis_points(values.get("global_holdout", ""))
        if share is None:
            errors["global_holdout"] = gettext("Write a percentage such as 5 or 2.5.")
        if errors or share is None:
            return cls(values=values, errors=errors)
        policy = Policy(
            quiet_from=values.get("quiet_from", ""),
            quiet_to=values.get("quiet_to", ""),
            global_holdout_bp=share,
            cap_day=numbers["cap_day"],
            cap_week=numbers["cap_week"],
            approve_above=numbers["approve_above"],
        )
        return cls(values=values, policy=policy)

    def wrong(self, errors: Mapping[str, str]) -> "PolicyForm":
        """The same with the refusals of the policy itself, each beside its field."""
        named = {"global_holdout" if name == "global_holdout_bp" else name: text for name, text in errors.items()}
        return PolicyForm(values=self.values, errors=named)


def basis_points(text: str) -> int | None:
    """A percentage as people write it, "2,5" or "10 %", in basis points; None for what is none."""
    try:
        share = Decimal(text.strip().removesuffix("%").strip().replace(",", ".") or "nothing") * 100
    except InvalidOperation:
        return None
    if not share.is_finite() or share != share.to_integral_value() or not 0 <= share <= 100_00:
        return None
    return int(share)


def plain_percent(share_bp: int) -> str:
    """Basis points as a field shows them: "2.5"."""
    return f"{Decimal(share_bp) / 100:f}"


def _whole(text: str, name: str, errors: dict[str, str]) -> int:
    plain = text.strip().replace("\u00a0", "").replace(" ", "")
    if not (plain.isascii() and plain.isdigit()) or len(plain) > LONGEST_NUMBER:
        errors[name] = gettext("Write a whole number.")
        return 0
    return int(plain)
