"""Triggers are checked as they are saved, and read as sentences in each language."""

from datetime import UTC, date, datetime
from typing import Any

import pytest

from app import i18n
from app.campaigns import triggers
from app.errors import Unprocessable

OCCASION = {"on": "occasion", "calendar": "tr", "day": "republic_day"}


def raw_of(on: str) -> dict[str, Any]:
    return OCCASION if on == "occasion" else {"on": on}


@pytest.mark.parametrize("kind", triggers.CATALOGUE, ids=lambda kind: kind.on)
def test_every_trigger_of_the_catalogue_is_complete_with_its_defaults(kind: triggers.Kind) -> None:
    saved = triggers.checked(raw_of(kind.on))

    assert {name: saved[name] for name in kind.defaults} == kind.defaults
    assert triggers.checked(saved) == saved


@pytest.mark.parametrize("language", i18n.LANGUAGES)
@pytest.mark.parametrize("kind", triggers.CATALOGUE, ids=lambda kind: kind.on)
def test_every_trigger_has_a_sentence_in_every_language(kind: triggers.Kind, language: str) -> None:
    told = triggers.sentence(raw_of(kind.on), language)

    assert told
    assert "%(" not in told
    assert triggers.name_of({"on": kind.on}, language)


@pytest.mark.parametrize(
    ("raw", "told"),
    [
        ({"on": "birthday"}, "on their birthday, at 10:00"),
        ({"on": "birthday", "days_before": 3, "at": "09:30"}, "3 days before their birthday, at 09:30"),
        ({"on": "win_back"}, "after 30, 60 and 90 days without a purchase"),
        ({"on": "points_expiring", "days": [14]}, "14 days before points expire"),
        ({**OCCASION, "days_before": 2}, "2 days before Republic Day, at 10:00"),
        ({"on": "occasion", "dates": ["2027-03-01"], "name": "Our tenth year"}, "on Our tenth year, at 10:00"),
        ({"on": "occasion", "dates": ["2027-03-01"]}, "on 1 Mar 2027, at 10:00"),
    ],
)
def test_what_a_trigger_says(raw: dict[str, Any], told: str) -> None:
    assert triggers.sentence(raw, "en") == told


@pytest.mark.parametrize(
    ("raw", "fields"),
    [
        ({}, ["trigger.on"]),
        ({"on": "full_moon"}, ["trigger.on"]),
        ({"on": ["welcome"]}, ["trigger.on"]),
        ({"on": "birthday", "days_before": 15}, ["trigger.days_before"]),
        ({"on": "birthday", "days_before": True}, ["trigger.days_before"]),
        ({"on": "birthday", "at": "24:00"}, ["trigger.at"]),
        ({"on": "birthday", "at": 10}, ["trigger.at"]),
        ({"on": "birthday", "day": "02-30"}, ["trigger.day"]),
        ({"on": "milestone", "visits": 0}, ["trigger.visits"]),
        ({"on": "milestone", "visits": 1.5}, ["trigger.visits"]),
        ({"on": "win_back", "days": [30, 60, 90, 120]}, ["trigger.days"]),
        ({"on": "win_back", "days": [30, 30]}, ["trigger.days"]),
        ({"on": "win_back", "days": [1]}, ["trigger.days"]),
        ({"on": "points_expiring", "days": []}, ["trigger.days"]),
        ({"on": "points_expiring", "least": -1}, ["trigger.least"]),
        ({"on": "thanks", "minutes": 10**12}, ["trigger.minutes"]),
        ({"on": "welcome", "valid_days": 0}, ["trigger.valid_days"]),
        ({"on": "welcome", "surprise": 1}, ["trigger.surprise"]),
        ({"on": "occasion", "dates": ["2027-02-30"]}, ["trigger.dates"]),
        ({"on": "occasion", "dates": ["30 February"]}, ["trigger.dates"]),
        ({"on": "occasion", "dates": [["2027-02-03"]]}, ["trigger.dates"]),
        ({"on": "occasion", "dates": ["2027-01-01"] * 61}, ["trigger.dates"]),
        ({"on": "occasion", "calendar": "own"}, ["trigger.dates"]),
        ({"on": "occasion", "calendar": "mars"}, ["trigger.calendar"]),
        ({"on": "occasion", "calendar": "tr", "day": "nyepi"}, ["trigger.day"]),
        ({"on": "occasion", "calendar": "tr", "day": {"x": 1}}, ["trigger.day"]),
        ({"on": "occasion", "dates": ["2027-01-01"], "name": "x" * 41}, ["trigger.name"]),
        ({"on": "birthday", "days_before": "x", "at": "x"}, ["trigger.at", "trigger.days_before"]),
    ],
)
def test_a_trigger_that_cannot_be_is_refused_with_its_fields_named(raw: dict[str, Any], fields: list[str]) -> None:
    with pytest.raises(Unprocessable, match="invalid_trigger") as refusal:
        triggers.checked(raw)

    assert sorted(refusal.value.errors) == fields


def test_own_days_are_kept_in_their_order_once_each() -> None:
    trigger = triggers.read({"on": "occasion", "dates": ["2027-05-01", "2026-12-05", "2027-05-01"]})

    assert trigger.values["dates"] == ["2026-12-05", "2027-05-01"]
    assert trigger.dates_of(2027) == [date(2027, 5, 1)]


def test_a_personal_offer_ends_with_the_members_day() -> None:
    trigger = triggers.read({"on": "birthday"})

    ends_at = triggers.good_until(trigger, datetime(2026, 11, 20, 7, 0, tzinfo=UTC), "Europe/Istanbul")

    assert ends_at == datetime(2026, 12, 4, 21, 0, tzinfo=UTC)
