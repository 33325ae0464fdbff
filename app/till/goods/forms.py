"""What a cashier sends about codes, goods to hand over, and what a card saves for."""

from collections.abc import Mapping
from dataclasses import dataclass

from app import idempotency
from app.cards.models import Programme
from app.errors import Unprocessable
from app.till.forms import basket_of, check_id

LONGEST_CODE = 64


@dataclass(frozen=True, kw_only=True)
class CodeForm:
    """A unique code as it was scanned or typed; `basket`: what stands in the amount field, None if nothing clear."""

    code: str
    basket: int | None
    key: str

    @classmethod
    def parse(cls, form: Mapping[str, str], programme: Programme) -> "CodeForm":
        """Raises: Unprocessable `not_a_code` with `errors` for the code; BadRequest without a key."""
        code = form.get("code", "").strip()
        if not code or len(code) > LONGEST_CODE:
            text = "This is not a card code. Check it for a typing mistake."
            raise Unprocessable("not_a_code", text, errors={"code": text})
        return cls(
            code=code,
            basket=basket_of(form.get("basket", ""), programme.currency),
            key=idempotency.check_key(form.get("key")),
        )


@dataclass(frozen=True, kw_only=True)
class CollectForm:
    """What was taken before, and is handed over now."""

    booking: str
    key: str

    @classmethod
    def parse(cls, form: Mapping[str, str]) -> "CollectForm":
        """Raises: NotFound, or BadRequest without a key."""
        return cls(booking=check_id(form.get("booking", "")), key=idempotency.check_key(form.get("key")))


@dataclass(frozen=True, kw_only=True)
class GoalForm:
    """The reward that a card saves for, None for none."""

    reward: str | None
    key: str

    @classmethod
    def parse(cls, form: Mapping[str, str]) -> "GoalForm":
        """Raises: NotFound, or BadRequest without a key."""
        reward = form.get("reward") or None
        return cls(reward=check_id(reward) if reward else None, key=idempotency.check_key(form.get("key")))
