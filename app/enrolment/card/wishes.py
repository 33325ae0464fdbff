"""The form of a member's wishes: how they want to be told things, their birthday, and what they say yes to."""

import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from babel.dates import get_month_names, get_timezone_location
from sqlalchemy.orm import Session
from werkzeug.datastructures import MultiDict

from app import i18n, trace
from app.campaigns import policy, topics
from app.cards import birthdays, consents, people, preferences
from app.cards.consents import MARKETING, Answer, Question, Witness
from app.cards.models import Card, Consent
from app.cards.preferences import Wishes
from app.enrolment import pages
from app.errors import AppError, Unprocessable

ZONES = (
    "Europe/Istanbul", "Asia/Jakarta", "Asia/Makassar", "Asia/Jayapura", "Europe/London", "Europe/Lisbon",
    "Europe/Berlin", "Europe/Paris", "Europe/Madrid", "Europe/Rome", "Europe/Amsterdam", "Europe/Vienna",
    "Europe/Athens", "Europe/Sofia", "Europe/Kyiv", "Europe/Moscow", "Asia/Nicosia", "Asia/Baku", "Asia/Tbilisi",
    "Asia/Baghdad", "Asia/Tehran", "Asia/Riyadh", "Asia/Dubai", "Asia/Kolkata", "Asia/Bangkok", "Asia/Singapore",
    "Asia/Kuala_Lumpur", "Asia/Hong_Kong", "Asia/Shanghai", "Asia/Tokyo", "Asia/Seoul", "Australia/Perth",
    "Australia/Sydney", "Pacific/Auckland", "Africa/Cairo", "America/New_York", "America/Chicago", "America/Denver",
    "America/Los_Angeles", "America/Sao_Paulo",
)  # fmt: skip
# who opened the page before the form had more questions is asked for this one alone
ALWAYS_ASKED = "marketing.wallet"
FIELD_OF = {ALWAYS_ASKED: "consent"}


@dataclass(frozen=True, kw_only=True)
class Asked:
    """One question of consent on the page. `since`: when a yes was given, as people write it."""

    field: str
    words: str
    ticked: bool
    since: str = ""


@dataclass(frozen=True, kw_only=True)
class WishPage:
    """The form, ready to draw; `values` by field, with what was typed where it was refused."""

    values: Mapping[str, str]
    zones: Sequence[tuple[str, str]]
    usual_quiet: str
    weekly: Sequence[tuple[str, str]]
    topics: Sequence[tuple[str, bool]]
    months: Sequence[tuple[str, str]]
    days: Sequence[tuple[str, str]]
    questions: Sequence[Asked]
    asked: str
    errors: Mapping[str, str] = field(default_factory=dict)

    @property
    def shown_topics(self) -> str:
        return "\n".join(name for name, _ in self.topics)


@dataclass(frozen=True, kw_only=True)
class Refused:
    """A form that was not kept: what was sent, and a sentence by field."""

    form: "MultiDict[str, str]"
    errors: Mapping[str, str]


def shown(session: Session, card: Card, language: str, refused: Refused | None = None) -> WishPage:
    """The form of a card's member, as it is kept or as it was just sent."""
    wishes, form = preferences.of(session, card.member), refused.form if refused else MultiDict[str, str]()
    birthday = people.of(session, card.member).birthday or ""
    kept = {
        "language": wishes.language, "timezone": wishes.timezone or "", "quiet_from": wishes.quiet_from or "",
        "quiet_to": wishes.quiet_to or "", "per_week": "" if wishes.per_week is None else str(wishes.per_week),
        "birthday_month": birthday[:2], "birthday_day": birthday[3:],
    }  # fmt: skip
    usual = policy.of(session, card.programme_id)
    questions = _questions(session, card, language, form) if card.kind == "loyalty" else []
    return WishPage(
        values={name: form.get(name, value) for name, value in kept.items()},
        zones=_zones(kept["timezone"], language),
        usual_quiet=f"{usual.quiet_from}–{usual.quiet_to}" if usual.quiet_from != usual.quiet_to else "",
        weekly=[(str(number), str(number)) for number in range(1, preferences.MOST_PER_WEEK + 1)],
        topics=_topics(session, card, wishes, form),
        months=[(f"{number:02}", name) for number, name in sorted(_months(language).items())],
        days=[(f"{number:02}", str(number)) for number in range(1, 32)],
        questions=questions,
        asked=" ".join(one.field.removeprefix("consent.") for one in questions if one.field != "consent"),
        errors=refused.errors if refused else {},
    )


def save(session: Session, card: Card, form: "MultiDict[str, str]", *, address: str, now: datetime) -> None:
    """Keep a sent form. A field that it does not have stays as it is, and so does a language that nobody speaks.

    Raises: Unprocessable, or Conflict `birthday_changed`, with a sentence by field; then nothing is kept.
    """
    witness, proof = Witness(source="page", actor="member"), f"page {trace.current()} {shortened(address)}".strip()
    preferences.change(session, card, _changes(form), now=now)
    if "birthday_month" in form:
        birthdays.change(session, card.member, _birthday(form), now=now)
    asked = {ALWAYS_ASKED, *form.get("asked", "").split()}
    answers = [
        Answer(
            purpose=one.purpose, channel=one.channel, granted=form.get(_field(one)) == "yes",
            language=card.member.language, proof=proof,
        )
        for one in consents.QUESTIONS
        if one.key in asked
    ]  # fmt: skip
    consents.answer_anew(session, card.member, answers, witness, now=now)


def refused_by(form: "MultiDict[str, str]", refusal: AppError) -> Refused:
    """What to draw the form with after a refusal."""
    named = {"birthday_day" if name == "birthday" else name: text for name, text in refusal.errors.items()}
    return Refused(form=form, errors=named or {"language": refusal.public})


def shortened(address: str) -> str:
    """A network address without what makes it one person's."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return ""
    return str(ipaddress.ip_network(f"{parsed}/{24 if parsed.version == 4 else 48}", strict=False))


def _changes(form: "MultiDict[str, str]") -> dict[str, Any]:
    found: dict[str, Any] = {
        name: form[name].strip() or None for name in ("timezone", "quiet_from", "quiet_to") if name in form
    }
    if form.get("language") in i18n.LANGUAGES:
        found["language"] = form["language"]
    if "per_week" in form:
        found["per_week"] = _number(form["per_week"].strip())
    if "shown_topics" in form:
        wanted = set(form.getlist("topic"))
        found["unwanted_topics"] = [one for one in form["shown_topics"].splitlines() if one and one not in wanted]
    return found


def _number(typed: str) -> int | None:
    """A number as it was chosen; one that nobody could choose is refused by its range."""
    if not typed:
        return None
    return int(typed) if typed.isascii() and typed.isdigit() and len(typed) < 4 else -1


def _birthday(form: "MultiDict[str, str]") -> str | None:
    month, day = form.get("birthday_month", ""), form.get("birthday_day", "")
    if not month and not day:
        return None
    try:
        return date.fromisoformat(f"2000-{month}-{day}").strftime("%m-%d")
    except ValueError:
        text = "There is no such day in that month; choose another."
        raise Unprocessable("invalid_birthday", text, errors={"birthday_day": text}) from None


def _questions(session: Session, card: Card, language: str, form: "MultiDict[str, str]") -> list[Asked]:
    person, said = people.of(session, card.member), consents.newest(session, card.member_id)
    reachable = {"email": bool(person.email), "sms": bool(person.phone)}
    return [
        Asked(
            field=_field(one),
            words=i18n.text(language, one.words.msgid, name=card.programme.name),
            ticked=form.get(_field(one)) == "yes" if form else _is_yes(card, one, said.get(one.subject)),
            since=_since(said.get(one.subject), language, card.programme.timezone),
        )
        for one in consents.QUESTIONS
        if reachable.get(one.channel, True)
    ]


def _is_yes(card: Card, question: Question, newest: Consent | None) -> bool:
    return card.member.marketing_consent if question.subject == MARKETING else bool(newest and newest.granted)


def _since(newest: Consent | None, language: str, zone: str) -> str:
    return pages.moment(newest.at, language, zone) if newest and newest.granted else ""


def _field(question: Question) -> str:
    return FIELD_OF.get(question.key, f"consent.{question.key}")


def _topics(session: Session, card: Card, wishes: Wishes, form: "MultiDict[str, str]") -> list[tuple[str, bool]]:
    known = sorted({*topics.of_programme(session, card.programme_id), *wishes.unwanted_topics})
    wanted = set(form.getlist("topic")) if "shown_topics" in form else set(known) - set(wishes.unwanted_topics)
    return [(one, one in wanted) for one in known]


def _zones(chosen: str, language: str) -> list[tuple[str, str]]:
    every = {*ZONES, chosen} - {""}
    named = [(one, str(get_timezone_location(one, locale=i18n.nearest(language)))) for one in every]
    return sorted(named, key=lambda one: one[1])


def _months(language: str) -> Mapping[int, str]:
    return {number: str(name) for number, name in get_month_names("wide", "stand-alone", locale=language).items()}
