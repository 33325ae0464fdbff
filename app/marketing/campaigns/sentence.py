"""A kept campaign as a sentence: what is sent to whom, when, and by what it is judged."""

import re
from calendar import monthrange
from datetime import date, datetime

from babel.dates import format_date, get_day_names
from babel.lists import format_list
from flask_babel import gettext, ngettext
from markupsafe import Markup, escape
from sqlalchemy.orm import Session

from app.campaigns import recurring, texts, timing
from app.campaigns.models import Campaign
from app.campaigns.policy import Policy
from app.campaigns.recurring import Rule
from app.i18n import page_language
from app.marketing.campaigns import words
from app.offers import service as offers
from app.offers.models import Offer

LEAP_YEAR = 2000
PLACE = re.compile(r"\{([^{}|]*)(?:\|[^{}]*)?\}")


def said(session: Session, one: Campaign, policy: Policy, people: int | None) -> list[Markup]:
    """The whole of it, a sentence a line. `people`: how many are in the audience, if that was counted."""
    language = page_language()
    whom = strong(words.audiences(session, [one], language)[one.id])
    if people is not None:
        whom += escape(f" ({gettext('%(people)s people', people=words.number(people))})")
    found = [
        _filled(gettext("Send %(what)s to %(whom)s %(when)s."), what=what(session, one), whom=whom, when=when(one)),
        quiet(one, policy),
        held_back(one),
    ]
    if one.goal:
        goal = dict(words.goals()).get(str(one.goal.get("metric")), "")
        found.append(
            _filled(
                gettext("It is judged by %(goal)s within %(days)s days."), goal=strong(goal),
                days=strong(str(one.goal.get("days", ""))),
            )
        )  # fmt: skip
    return found


def what(session: Session, one: Campaign) -> Markup:
    """The offer, or its own words."""
    if one.offer_id is not None:
        offer = session.get_one(Offer, one.offer_id)
        return strong(offers.words(offer, page_language())[0])
    title, _ = texts.in_language(one.message, page_language())
    return strong(_named(title))


def when(one: Campaign) -> Markup:
    """On which day and hour, and by whose clock."""
    if one.kind == "triggered":
        return strong(words.when_triggered(one.trigger))
    clock = escape(gettext("in %(clock)s", clock=words.clock_of(one)) if one.timezone_mode != "fixed"
                   else words.clock_of(one))  # fmt: skip
    if one.send_local == timing.NOW:
        return strong(gettext("at once"))
    if not one.send_local:
        return strong(gettext("at a time that is not chosen yet"))
    at = datetime.fromisoformat(one.send_local)
    if one.kind == "recurring":
        return _recurring(one, at, clock)
    day = _filled(gettext("on %(day)s"), day=strong(words.clock_time(at)))
    return day + " " + clock


def _recurring(one: Campaign, first: datetime, clock: Markup) -> Markup:
    """As `again`, where the clock stands beside the hour that it shows."""
    rule = recurring.parse(one.recurrence, {})
    if rule is None:
        return clock
    return strong(_rhythm(rule, first)) + " " + clock + ", " + strong(", ".join(_limits(rule, first)))


def again(one: Campaign, first: datetime) -> str:
    """How a recurring campaign comes: "every 2 weeks: Friday, 10:00, from 27 Nov 2026, at most 3 times"."""
    rule = recurring.parse(one.recurrence, {})
    return ", ".join([_rhythm(rule, first), *_limits(rule, first)]) if rule else ""


def _rhythm(rule: Rule, first: datetime) -> str:
    """On which days and at what hour."""
    told = {"interval": rule.interval, "time": f"{first:%H:%M}", "days": _days(rule, first)}
    single = rule.interval == 1
    if rule.every == "week":
        said = gettext("every week: %(days)s, %(time)s", **told) if single else gettext(
            "every %(interval)s weeks: %(days)s, %(time)s", **told)  # fmt: skip
    elif rule.every == "month":
        told["day"] = rule.day or first.day
        said = gettext("every month on day %(day)s, %(time)s", **told) if single else gettext(
            "every %(interval)s months on day %(day)s, %(time)s", **told)  # fmt: skip
    elif rule.every == "year":
        told["day"] = _day_of_year(rule, first)
        said = gettext("every year on %(day)s, %(time)s", **told) if single else gettext(
            "every %(interval)s years on %(day)s, %(time)s", **told)  # fmt: skip
    else:
        said = gettext("every day, %(time)s", **told) if single else gettext(
            "every %(interval)s days, %(time)s", **told)  # fmt: skip
    return str(said)


def _limits(rule: Rule, first: datetime) -> list[str]:
    """From when on, until when, and how often in all."""
    begins = next(recurring.dates(rule, first.date()), first.date())
    found = [gettext("from %(day)s", day=words.date_of(begins))]
    if rule.until is not None:
        found.append(gettext("until %(day)s", day=words.date_of(rule.until)))
    if rule.times is not None:
        found.append(ngettext("at most %(num)d time", "at most %(num)d times", rule.times))
    return found


def _days(rule: Rule, first: datetime) -> str:
    names = get_day_names("wide", locale=page_language())
    days = sorted(rule.weekdays or {first.isoweekday()})
    return str(format_list([names[day - 1] for day in days], locale=page_language()))


def _day_of_year(rule: Rule, first: datetime) -> str:
    """Such as "29 February", which is the month's last day in other years."""
    last = monthrange(LEAP_YEAR, first.month)[1]
    day = date(LEAP_YEAR, first.month, min(rule.day or first.day, last))
    return str(format_date(day, "d MMMM", locale=page_language()))


def quiet(one: Campaign, policy: Policy) -> Markup:
    """In which hours nothing is sent."""
    start, end = one.quiet_from or policy.quiet_from, one.quiet_to or policy.quiet_to
    if start == end:
        return escape(gettext("At any hour."))
    return _filled(gettext("Not between %(start)s and %(end)s."), start=strong(start), end=strong(end))


def held_back(one: Campaign) -> Markup:
    """Who is held back."""
    if one.holdout_bp is None:
        return _filled(gettext("Hold back %(share)s, from 100 people on."), share=strong(words.percent(1000)))
    if one.holdout_bp == 0:
        return _filled(gettext("Hold back %(nobody)s."), nobody=strong(gettext("nobody")))
    return _filled(gettext("Hold back %(share)s."), share=strong(words.percent(one.holdout_bp)))


def _named(title: str) -> str:
    """A text whose places are named as people call them: "Coffee, [First name]"."""
    names = dict(words.fields())
    return PLACE.sub(lambda found: f"[{names.get(found[1].strip(), found[1])}]", title)


def strong(text: str) -> Markup:
    return Markup("<strong>%s</strong>") % text


def _filled(sentence: str, **values: Markup) -> Markup:
    """A translated sentence with parts in it; the sentence itself is text, not markup."""
    return escape(sentence) % values
