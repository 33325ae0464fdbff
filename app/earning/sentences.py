"""Rules as sentences that an owner reads: "2× on Tuesdays 17:00–19:00 in Kadıköy until 31 Dec 2026"."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, time
from fractions import Fraction
from typing import Any

from babel.dates import format_date, format_time
from babel.lists import format_list

from app import i18n, money
from app.earning import rules
from app.earning.rules import Period, Products, Rule, When
from app.earning.windows import WEEKDAYS, Window
from app.earning.words import number


class Speaker:
    """Says rules in one language and currency. `names` are those of shops and of groups of members, by their ids."""

    def __init__(self, language: str, currency: str, names: Mapping[str, str] | None = None) -> None:
        self.language, self.currency, self.names = i18n.nearest(language), currency, names or {}

    def rule(self, rule: Rule) -> str:
        """What a rule gives or takes, and when."""
        conditions = self.conditions(rule.when)
        if isinstance(rule, rules.Amount | rules.Unit | rules.Multiplier | rules.Bonus) and not rule.only.is_all:
            conditions.insert(0, i18n.text(self.language, "for %(products)s", products=self._products(rule.only)))
        what = self._what(rule)
        if not conditions:
            return what
        return i18n.text(self.language, "%(rule)s %(conditions)s", rule=what, conditions=self._joined(conditions))

    def conditions(self, when: When) -> list[str]:
        """When, where and for whom; nothing for a rule that always holds."""
        dates = {(one.first_on, one.last_on) for one in when.windows}
        hours = [self.window(one) if len(dates) > 1 else self.hours(one) for one in when.windows]
        found = [self._or(hours)] if any(hours) else []
        if when.stores:
            found.append(i18n.text(self.language, "in %(stores)s", stores=self._named(when.stores)))
        if when.tiers:
            found.append(i18n.text(self.language, "for tier %(tiers)s", tiers=self._or(sorted(when.tiers))))
        if when.segments:
            found.append(i18n.text(self.language, "for members of %(groups)s", groups=self._named(when.segments)))
        found += [self.occasion(one) for one in sorted(when.occasions)]
        return [*found, *(self.dates(*one) for one in dates if len(dates) == 1 and any(one))]

    def _named(self, ids: Iterable[str]) -> str:
        return self._or([self.names.get(one, one) for one in sorted(ids)])

    def window(self, window: Window) -> str:
        """ "on Tuesdays 17:00–19:00 until 31 Dec 2026"."""
        parts = [self.hours(window), self.dates(window.first_on, window.last_on)]
        return " ".join(part for part in parts if part) or i18n.text(self.language, "always")

    def hours(self, window: Window) -> str:
        """ "on Tuesdays 17:00–19:00"; empty for every hour of every day."""
        found = []
        if window.weekdays != frozenset(WEEKDAYS):
            days = self._and(self.weekday(day) for day in sorted(window.weekdays))
            found.append(i18n.text(self.language, "on %(days)s", days=days))
        if window.start != window.end:
            found.append(f"{self._time(window.start)}–{self._time(window.end)}")
        return " ".join(found)

    def dates(self, first: date | None, last: date | None) -> str:
        """ "from 1 Dec 2026 until 31 Dec 2026"; empty without a date."""
        found = [i18n.text(self.language, "from %(day)s", day=self.day(first))] if first else []
        return " ".join([*found, i18n.text(self.language, "until %(day)s", day=self.day(last))] if last else found)

    def weekday(self, day: int) -> str:
        """1 is Monday, said of every week."""
        return {
            1: i18n.text(self.language, "Mondays"),
            2: i18n.text(self.language, "Tuesdays"),
            3: i18n.text(self.language, "Wednesdays"),
            4: i18n.text(self.language, "Thursdays"),
            5: i18n.text(self.language, "Fridays"),
            6: i18n.text(self.language, "Saturdays"),
            7: i18n.text(self.language, "Sundays"),
        }[day]

    def occasion(self, name: str) -> str:
        """On which day of the member's own."""
        known = {
            "birthday": i18n.text(self.language, "on the birthday"),
            "birthday_week": i18n.text(self.language, "in the birthday week"),
            "first_purchase": i18n.text(self.language, "on the first purchase"),
            "joined": i18n.text(self.language, "on the day of joining, each year"),
        }
        return known.get(name) or name

    def day(self, day: date) -> str:
        return str(format_date(day, "d MMM y", locale=self.language))

    def points(self, points: int) -> str:
        """ "1 point", "20 points"."""
        if points == 1:
            return i18n.text(self.language, "1 point")
        return i18n.text(self.language, "%(points)s points", points=number(points, self.language))

    def factor(self, factor: Fraction) -> str:
        """ "1.5×"."""
        return f"{number(decimal(factor), self.language)}×"

    def percent(self, rate: Fraction) -> str:
        return i18n.text(self.language, "%(rate)s %%", rate=number(decimal(rate * 100), self.language))

    def amount(self, minor: int) -> str:
        """ "10.00 TRY", as people of the language write it."""
        return money.shown(minor, self.currency, self.language)

    def _what(self, rule: Rule) -> str:
        for kind, say in _SAID.items():
            if isinstance(rule, kind):
                return say(self, rule)
        return rule.name

    def _amount(self, rule: rules.Amount) -> str:
        gives, amount = self.points(rule.points), self.amount(rule.per_minor)
        return i18n.text(self.language, "%(points)s for every %(amount)s", points=gives, amount=amount)

    def _unit(self, rule: rules.Unit) -> str:
        gives = self.points(rule.points)
        if rule.per == 1:
            return i18n.text(self.language, "%(points)s for each piece", points=gives)
        pieces = number(rule.per, self.language)
        return i18n.text(self.language, "%(points)s for every %(pieces)s pieces", points=gives, pieces=pieces)

    def _visit(self, rule: rules.Visit) -> str:
        return i18n.text(self.language, "%(points)s for each purchase", points=self.points(rule.points))

    def _event(self, rule: rules.Event) -> str:
        return i18n.text(self.language, "%(points)s for “%(event)s”", points=self.points(rule.points), event=rule.event)

    def _exclusion(self, rule: rules.Exclusion) -> str:
        return i18n.text(self.language, "%(products)s earns nothing", products=self._products(rule.only))

    def _bonus(self, rule: rules.Bonus) -> str:
        gives = i18n.text(self.language, "%(points)s extra", points=self.points(rule.points))
        if not rule.minimum_minor:
            return gives
        least = self.amount(rule.minimum_minor)
        return i18n.text(self.language, "%(points)s from %(amount)s on", points=gives, amount=least)

    def _cap(self, rule: rules.Cap) -> str:
        points = self.points(rule.points)
        match rule.period:
            case Period.SALE:
                return i18n.text(self.language, "At most %(points)s a purchase", points=points)
            case Period.DAY:
                return i18n.text(self.language, "At most %(points)s a day", points=points)
            case Period.WEEK:
                return i18n.text(self.language, "At most %(points)s a week", points=points)
            case Period.MONTH:
                return i18n.text(self.language, "At most %(points)s a month", points=points)
            case Period.WHOLE:
                return i18n.text(self.language, "At most %(points)s for each member in all", points=points)
            case Period.BUDGET:
                return i18n.text(self.language, "At most %(points)s for all members together", points=points)

    def _discount(self, rule: rules.Discount) -> str:
        bands = [band for band in rule.bands if band.rate]
        if len(rule.bands) == 1:
            said = i18n.text(self.language, "%(percent)s off", percent=self.percent(rule.bands[0].rate))
        else:
            steps = [
                i18n.text(
                    self.language, "%(percent)s off from %(amount)s spent", percent=self.percent(band.rate),
                    amount=self.amount(band.from_minor),
                )
                for band in bands
            ]  # fmt: skip
            said = self._and(steps)
        return self._of(said, rule)

    def _bonus_money(self, rule: rules.BonusMoney) -> str:
        said = i18n.text(
            self.language, "%(percent)s as money for later, up to %(share)s of a later purchase",
            percent=self.percent(rule.rate), share=self.percent(rule.max_share),
        )  # fmt: skip
        if rule.expires_days is not None:
            days = number(rule.expires_days, self.language)
            said = i18n.text(self.language, "%(bonus)s, within %(days)s days", bonus=said, days=days)
        return self._of(said, rule)

    def _of(self, said: str, rule: Rule) -> str:
        """The same, with the products that it is for, if it is not for all."""
        return said if rule.only.is_all else f"{said} ({self._products(rule.only)})"

    def _products(self, only: Products) -> str:
        return self._and([*sorted(only.categories), *sorted(only.products)])

    def _time(self, at: time) -> str:
        return str(format_time(at, "HH:mm", locale=self.language))

    def _joined(self, conditions: Sequence[str]) -> str:
        return (" " if self.language == "en" else ", ").join(conditions)

    def _and(self, parts: Iterable[str]) -> str:
        return str(format_list(list(parts), locale=self.language))

    def _or(self, parts: Iterable[str]) -> str:
        return str(format_list(list(parts), style="or", locale=self.language))


_SAID: dict[type[Rule], Callable[[Speaker, Any], str]] = {
    rules.Amount: Speaker._amount,
    rules.Unit: Speaker._unit,
    rules.Visit: Speaker._visit,
    rules.Event: Speaker._event,
    rules.Multiplier: lambda speaker, rule: speaker.factor(rule.factor),
    rules.Bonus: Speaker._bonus,
    rules.Exclusion: Speaker._exclusion,
    rules.Cap: Speaker._cap,
    rules.Discount: Speaker._discount,
    rules.BonusMoney: Speaker._bonus_money,
}


def decimal(value: Fraction) -> str:
    """A fraction as people write it, with at most four decimals: "1.5", "33.3333"."""
    scaled = round(value * 10_000)
    whole, rest = divmod(scaled, 10_000)
    return f"{whole}.{rest:04}".rstrip("0").rstrip(".")
