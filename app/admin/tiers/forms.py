"""Tiers and their rules as an operator types them, and as they are shown again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from app.admin.programmes.forms import unprintable, whole_number
from app.admin.texts import gettext
from app.cards.models import Programme
from app.errors import AppError, Unprocessable
from app.tiers.changing import TierDraft
from app.tiers.rules import Drop, Metric, Policy, Window

NEW_ROWS = 1
NUMBERS = ("months", "validity_months", "grace_days")
COLUMNS = ("id", "name", "threshold", "multiplier", "background_color")


@dataclass(frozen=True, kw_only=True)
class Typed:
    """What was typed. `rows`: in which row of the page each of the tiers stands."""

    policy: Policy
    drafts: tuple[TierDraft, ...]
    rows: tuple[int, ...] = field(default=())

    def on_the_page(self, problem: AppError) -> dict[str, str]:
        """The refusal's fields as the page names them."""
        found = {}
        for name, text in problem.errors.items():
            kind, _, rest = name.partition(".")
            place, _, column = rest.partition(".")
            in_row = kind == "tiers" and place.isdigit()
            found[f"tiers.{self.rows[int(place)]}.{column}" if in_row else name.removeprefix("policy.")] = text
        return found


def parse(form: Mapping[str, str], programme: Programme, *, rows: int) -> Typed:
    """Tiers in the order of their thresholds, wherever their rows stand; an empty row is left out.

    Raises: Unprocessable with `errors` by field.
    """
    errors = unprintable(form)
    if errors:
        raise Unprocessable("invalid_tiers", " ".join(errors.values()), errors=errors)
    kept = {str(tier.id): tier for tier in programme.tiers}
    found: list[tuple[int, TierDraft]] = []
    for row in range(rows):
        name, threshold = _line(form, f"tiers.{row}.name"), _line(form, f"tiers.{row}.threshold").replace(",", ".")
        tier = kept.get(_line(form, f"tiers.{row}.id"))
        if form.get(f"tiers.{row}.delete") == "yes" or not (name or threshold):
            continue
        draft = TierDraft(
            id=tier.id if tier else None, name=name, threshold=threshold,
            multiplier=_line(form, f"tiers.{row}.multiplier").replace(",", ".") or "1",
            background_color=_line(form, f"tiers.{row}.background_color") or None, texts=tier.texts if tier else {},
        )  # fmt: skip
        found.append((row, draft))
    found.sort(key=lambda one: _height(one[1].threshold))
    return Typed(policy=_policy(form), drafts=tuple(draft for _, draft in found), rows=tuple(row for row, _ in found))


def values(drafts: Sequence[TierDraft], policy: Policy) -> dict[str, str]:
    """What the page's fields hold for tiers and rules as they are."""
    shown = {
        "metric": policy.metric.value, "window": policy.window.value, "drop": policy.drop.value,
        "strict": "yes" if policy.strict else "", **{name: str(getattr(policy, name)) for name in NUMBERS},
    }  # fmt: skip
    for row, draft in enumerate(drafts):
        shown |= {f"tiers.{row}.{column}": str(getattr(draft, column) or "") for column in COLUMNS}
    return shown


def choices() -> dict[str, list[tuple[str, str]]]:
    """What may be chosen, in words."""
    return {
        "metric": [
            (Metric.SPEND.value, gettext("Money spent")),
            (Metric.EARNED.value, gettext("Points earned by base rules")),
            (Metric.VISITS.value, gettext("Visits")),
        ],
        "window": [
            (Window.ROLLING.value, gettext("The last months")),
            (Window.CALENDAR.value, gettext("The calendar year")),
            (Window.LIFETIME.value, gettext("All time; tiers never end")),
        ],
        "drop": [
            (Drop.ONE_STEP.value, gettext("One tier down")),
            (Drop.TO_METRIC.value, gettext("To the tier that was reached")),
            (Drop.NONE.value, gettext("Nobody drops")),
        ],
    }


def day(text: str) -> date:
    """A day as a date field sends it.

    Raises: Unprocessable `invalid_grant`.
    """
    try:
        return date.fromisoformat(text.strip()[:10])
    except ValueError:
        words = gettext("Choose a day.")
        raise Unprocessable("invalid_grant", words, errors={"until": words}) from None


def _policy(form: Mapping[str, str]) -> Policy:
    """What is no number is refused by the service.

    Raises: Unprocessable with `errors` for what the page does not offer.
    """
    offered = {name: {value for value, _ in found} for name, found in choices().items()}
    wrong = {name: gettext("Choose one from the list.") for name in offered if _line(form, name) not in offered[name]}
    if wrong:
        raise Unprocessable("invalid_tiers", " ".join(wrong.values()), errors=wrong)
    return Policy(
        metric=Metric(_line(form, "metric")),
        window=Window(_line(form, "window")),
        drop=Drop(_line(form, "drop")),
        strict=form.get("strict") == "yes",
        **{name: whole_number(form.get(name, ""), wrong=-1) for name in NUMBERS},
    )


def _height(threshold: str) -> float:
    """Only for the order of rows; what is no number stands last and is refused there."""
    digits = threshold.replace(".", "", 1)
    return float(threshold) if digits.isascii() and digits.isdigit() else float("inf")


def _line(form: Mapping[str, str], name: str) -> str:
    return form.get(name, "").strip()
