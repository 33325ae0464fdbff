"""What somebody leaves as it was in the form of a kept offer stays as it was kept, also what no field can show.

The form shows times without seconds, one text for the programme's own language, and no dates of weekly hours. So what
was sent is compared with what the form showed at first, both read by the same rules: only what differs is a change.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from app.marketing.offers import fields
from app.offers.service import OfferDraft

ALONE = (
    "title", "body", "starts_at", "ends_at", "timezone", "announce", "limit_per_card", "limit_total", "kind",
    "by_store", "grace_min", "stores", "needs_code", "combines", "budgets",
)  # fmt: skip
# one field of the form says all of these
WHOM = ("tier", "tiers", "audience", "segment_id")
DATES = ("first_on", "last_on")


@dataclass(frozen=True, kw_only=True)
class Kept:
    """An offer as it is kept, and the values with which its form begins."""

    draft: OfferDraft
    values: Mapping[str, str]


def changed(sent: OfferDraft, shown: OfferDraft, kept: Kept, values: Mapping[str, str]) -> OfferDraft:
    """A kept offer with what was changed. *sent* is what *values* come to, *shown* what the form showed at first."""
    groups = (*((name,) for name in ALONE), WHOM)
    left = [name for group in groups for name in group if _same(sent, shown, group)]
    return replace(
        sent,
        **{name: getattr(kept.draft, name) for name in left},
        texts=_texts(sent, shown, kept.draft),
        terms=_terms(sent, shown, kept.draft),
        windows=_windows(values, kept),
    )


def _same(sent: OfferDraft, shown: OfferDraft, names: tuple[str, ...]) -> bool:
    return all(getattr(sent, name) == getattr(shown, name) for name in names)


def _texts(sent: OfferDraft, shown: OfferDraft, kept: OfferDraft) -> Mapping[str, Mapping[str, str]]:
    if sent.texts == shown.texts:
        return kept.texts
    found = {
        language: _parts(sent.texts.get(language, {}), shown.texts.get(language, {}), kept.texts.get(language, {}))
        for language in dict.fromkeys((*kept.texts, *sent.texts))
    }
    return {language: words for language, words in found.items() if any(words.values())}


def _terms(sent: OfferDraft, shown: OfferDraft, kept: OfferDraft) -> Mapping[str, Any]:
    return _parts(sent.terms, shown.terms, kept.terms) if sent.kind == kept.kind else sent.terms


def _parts(sent: Mapping[str, Any], shown: Mapping[str, Any], kept: Mapping[str, Any]) -> dict[str, Any]:
    """What is kept, with the parts that were sent otherwise than they were shown."""
    found = dict(kept)
    for name in dict.fromkeys((*shown, *sent)):
        if sent.get(name) == shown.get(name):
            continue
        found.pop(name, None)
        found |= {name: sent[name]} if name in sent else {}
    return found


def _windows(values: Mapping[str, str], kept: Kept) -> list[Any]:
    """Rows that were left stay; one that was changed keeps the dates between which its hours hold."""
    shown = _rows(kept.values)
    found = []
    for row, window in _rows(values).items():
        before = kept.draft.windows[row] if row < len(kept.draft.windows) else {}
        dates = {name: before[name] for name in DATES if name in before}
        found.append(before if before and window == shown.get(row) else {**window, **dates})
    return found


def _rows(values: Mapping[str, str]) -> dict[int, dict[str, Any]]:
    return dict(zip(fields.filled_windows(values), fields.windows_of(values), strict=True))
