"""A campaign's results as CSV, for machines: names that stay, decimal points, money in minor units."""

import csv
import io
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from app.results.stats import Estimate
from app.results.verdict import Effect, Results

Row = Sequence[Any]
KINDS = ("figures", "course", "redeemed")


def text(found: Results, kind: str) -> str:
    """The sheet of that kind, one of KINDS."""
    out = io.StringIO()
    csv.writer(out).writerows({"figures": _figures, "course": _course, "redeemed": _redeemed}[kind](found))
    return out.getvalue()


def _figures(found: Results) -> Iterator[Row]:
    counted = found.counts
    yield ("figure", "value", "low", "high")
    for name in ("planned", "sent", "waiting", "suppressed", "accepted", "apple", "google", "fetched"):
        yield (name, getattr(counted, name), "", "")
    yield from ((f"not_sent_{code}", people, "", "") for code, people in counted.reasons.items())
    yield from ((f"note_{code}", people, "", "") for code, people in counted.notes.items())
    for name, arm in (("treated", counted.treated), ("held_back", counted.held_back), ("apart", counted.apart)):
        for figure in ("people", "buyers", "redeemers", "visits", "spend_minor", "uses", "cost_minor"):
            yield (f"{name}_{figure}", getattr(arm, figure), "", "")
    yield ("goal", found.metric, "", "")
    yield ("interim", found.is_interim, "", "")
    yield ("verdict", found.effect.says.value, "", "")
    yield from _effect("effect", found.effect)
    yield from _effect("buyers", found.buyers)
    if found.split is not None:
        yield ("split_chi_square", round(found.split.statistic, 4), "", "")
        yield ("split_p", f"{found.split.p:.4g}", "", "")
    if found.net is not None:
        yield ("net_minor", found.net.value, found.net.low, found.net.high)


def _effect(name: str, effect: Effect) -> Iterator[Row]:
    for part in ("by", "lift", "total"):
        value: Estimate | None = getattr(effect, part)
        if value is not None:
            yield (f"{name}_{part}", *(round(one, 6) for one in (value.value, value.low, value.high)))
        elif effect.by is not None:
            yield (f"{name}_{part}", "not computable", "", "")


def _course(found: Results) -> Iterator[Row]:
    yield ("at", "sent", "accepted", "fetched", "redeemed")
    for one in found.counts.course:
        at = datetime.fromtimestamp(one.at / 1000, UTC).isoformat(timespec="seconds")
        yield (at, one.sent, one.accepted, one.fetched, one.redeemed)


def _redeemed(found: Results) -> Iterator[Row]:
    yield ("day", "uses")
    yield from found.counts.redeemed_by_day.items()
