"""Days of a month, lanes of a week, and spans that meet."""

from datetime import date

import pytest

from app.marketing.calendar import days, layout
from app.marketing.calendar.clashes import found
from app.marketing.calendar.layout import OFFER, SEND, Plan
from app.marketing.calendar.plans import runs_of

MONDAY = date(2026, 11, 23)
WEEK = [date(2026, 11, 23 + number) for number in range(7)]


def span(key: str, first: int, last: int) -> Plan:
    return Plan(key=key, kind=OFFER, title=key, first=date(2026, 11, first), last=date(2026, 11, last))


def test_a_month_is_whole_weeks_that_begin_on_monday() -> None:
    page = days.page_of("month", date(2026, 11, 20))

    assert (page.first, page.last) == (date(2026, 10, 26), date(2026, 12, 6))
    assert {week[0].isoweekday() for week in page.weeks} == {1}
    assert (page.before, page.after) == (date(2026, 10, 1), date(2026, 12, 1))
    assert page.is_outside(date(2026, 12, 1))


def test_a_month_that_ends_on_sunday_has_no_empty_week() -> None:
    page = days.page_of("month", date(2027, 1, 31))

    assert page.last == date(2027, 1, 31)
    assert len(page.weeks) == 5


def test_a_week_turns_by_seven_days() -> None:
    page = days.page_of("week", date(2026, 11, 27))

    assert page.weeks == (tuple(WEEK),)
    assert (page.before, page.after) == (date(2026, 11, 16), date(2026, 11, 30))


@pytest.mark.parametrize("text", ["", "soon", "2026-13-01", "1066-10-14", "9999-12-31", "2026-11-20T10:00"])
def test_what_is_no_day_of_our_time_is_today(text: str) -> None:
    assert days.read_day(text, MONDAY) == MONDAY


def test_spans_share_a_lane_only_where_they_do_not_meet() -> None:
    shown = layout.week(WEEK, [span("a", 20, 24), span("b", 24, 26), span("c", 25, 30)], {})

    lanes = [[slot.plan.key if slot else "" for slot in day.slots] for day in shown]
    assert lanes == [
        ["a", ""], ["a", "b"], ["c", "b"], ["c", "b"], ["c", ""], ["c", ""], ["c", ""],
    ]  # fmt: skip


def test_a_span_is_named_where_it_begins_in_this_week_and_as_long_as_it_goes_on_in_it() -> None:
    shown = layout.week(WEEK, [span("a", 20, 24), span("c", 28, 30)], {})

    begins = [(day.on.day, slot.plan.key, slot.days) for day in shown for slot in day.slots if slot and slot.is_start]
    assert begins == [(23, "a", 2), (28, "c", 2)]


def test_days_in_a_row_are_one_stripe() -> None:
    assert runs_of([WEEK[0], WEEK[1], WEEK[3]]) == [(WEEK[0], WEEK[1]), (WEEK[3], WEEK[3])]


def test_sends_clash_on_their_own_day_alone_and_only_if_somebody_is_in_both() -> None:
    def send(key: str, day: int) -> Plan:
        on = date(2026, 11, day)
        return Plan(key=key, kind=SEND, title=key, first=on, last=on)

    plans = [send("a", 24), send("b", 24), send("c", 25), send("d", 24)]
    both = {("a", "b"): 7, ("a", "d"): 0, ("b", "d"): 0}

    clashes = found(plans, lambda one, other: both[one.key, other.key])

    assert [(clash.on.day, clash.one.key, clash.other.key, clash.people) for clash in clashes] == [(24, "a", "b", 7)]
