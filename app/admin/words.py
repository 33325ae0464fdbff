"""This room's words for what other parts report by code, in the reader's language; needs a page around it."""

import re
from collections.abc import Mapping
from datetime import datetime

from babel.dates import format_datetime
from babel.numbers import format_decimal

from app.admin.texts import gettext
from app.errors import AppError
from app.i18n import page_language, translate
from app.outbox.rules import Lane
from passes.apple.push import MEANINGS
from passes.outcome import Outcome

STATUS_CAUSE = re.compile(r"status-(\d{3})")


def sentence(problem: AppError) -> str:
    """What the person reads about a refusal."""
    known = {
        "slug_taken": gettext("There is a programme with this short name already."),
        "store_exists": gettext("There is a store with this name already."),
        "email_taken": gettext("Someone with this e-mail address is here already."),
        "invalid_email": gettext("Write the e-mail address as name@example.com."),
        "password_too_short": gettext("Use at least 10 characters; a short sentence is easy to remember."),
        "password_too_long": gettext("Use at most 200 characters."),
        "password_too_plain": gettext("Use more different characters; a short sentence is easy to remember."),
        "password_is_address": gettext("Leave the e-mail address out of the password."),
    }
    return known.get(problem.code) or translate(problem.public)


def field_errors(problem: AppError, known: Mapping[str, str]) -> dict[str, str]:
    """The refusal by field: our own words where *known* has the field, else the words it came with."""
    return {name: known.get(name) or translate(text) for name, text in problem.errors.items()}


def role(name: str) -> str:
    return {
        "owner": gettext("Owner"),
        "operator": gettext("Operator"),
        "marketer": gettext("Marketer"),
        "approver": gettext("Approver"),
        "manager": gettext("Manager"),
        "cashier": gettext("Cashier"),
        "support": gettext("Support"),
        "auditor": gettext("Auditor"),
        "integrator": gettext("Integrator"),
    }.get(name, name)


def channel(name: str) -> str:
    return {
        "apple": gettext("Apple Wallet"),
        "google": gettext("Google Wallet"),
        "google_class": gettext("Google Wallet, shared part"),
    }.get(name, name)


def status(name: str) -> str:
    """A programme's or a card's state."""
    return {
        "live": gettext("Live"),
        "paused": gettext("Paused"),
        "ended": gettext("Ended"),
        "active": gettext("Active"),
        "voided": gettext("Voided"),
        "erased": gettext("Erased"),
    }.get(name, name)


def cause(name: str) -> str:
    """Why an address is behind."""
    return {
        "waiting": gettext("On its way"),
        "retrying": gettext("Failed, will be tried again"),
        "stopped": gettext("Held back: sending is stopped"),
        "switched": gettext("Held back: stopped by hand"),
        "parked": gettext("Parked: needs you"),
    }.get(name, name)


def lane(name: Lane) -> str:
    """How urgent a change is."""
    return {
        Lane.URGENT: gettext("From the till"),
        Lane.NORMAL: gettext("Edited cards"),
        Lane.BULK: gettext("Offers and looks"),
    }[name]


def node_role(name: str) -> str:
    """What a process does."""
    return {
        "web": gettext("Pages and API"),
        "worker": gettext("Delivers"),
        "scheduler": gettext("Schedules"),
        "delivery": gettext("Delivers and schedules"),
    }.get(name, name)


def tick(at: datetime) -> str:
    """A moment on an axis: the hour, or the day at midnight."""
    pattern = "d MMM" if (at.hour, at.minute) == (0, 0) else "HH:mm"
    return str(format_datetime(at, pattern, locale=page_language()))


def seconds(value: float) -> str:
    """A length of time in the largest unit that says it well: `1.4 s`, `3.2 min`."""
    for limit, size, text in (
        (90, 1, gettext("%(n)s s")),
        (90 * 60, 60, gettext("%(n)s min")),
        (36 * 3600, 3600, gettext("%(n)s h")),
    ):
        if value < limit:
            return text % {"n": _short(value / size)}
    return gettext("%(n)s days") % {"n": _short(value / 86400)}


def _short(value: float) -> str:
    return str(format_decimal(round(value, 1 if value < 10 else 0), locale=page_language()))


def outcome(name: str) -> str:
    return {
        "delivered": gettext("Accepted"),
        "try_again": gettext("Will be tried again"),
        "gone": gettext("No longer there"),
        "refused": gettext("Refused"),
    }.get(name, name)


def answer(channel_name: str, http_status: int, reason: str) -> str:
    """A vendor's last answer in words; its own code stays beside it for those who search for it."""
    if not http_status and not reason:
        return gettext("Nothing was sent yet.")
    if reason == "unchanged":
        return gettext("Nothing that this wallet shows had changed, so nothing was sent.")
    code = f"{http_status or ''} {reason}".strip()
    words = _apple(http_status, reason) if channel_name == "apple" else _google(http_status)
    return words if 200 <= http_status < 300 else f"{words} ({code})" if words else code


def remedy(channel_name: str, state: str, http_status: int, reason: str) -> str:
    """What an operator can do about a vendor's last answer; empty where it mends itself or nothing is wrong."""
    if state == "gone":
        return gettext("Nothing to do: if the holder adds the card again, it is told again.")
    if http_status == 410 or not (http_status or reason) or 200 <= http_status < 300 or reason == "unchanged":
        return ""
    if reason == "internal fault, see the log":
        return gettext("Look into the log of the worker at that time; then press Try now.")
    return _apple_remedy(http_status, reason) if channel_name == "apple" else _google_remedy(http_status)


def _google_remedy(http_status: int) -> str:
    if http_status in {401, 403}:
        return gettext("Invite the service account in Google's Wallet console with the role Developer, then try again.")
    if http_status == 400:
        return gettext("Open the look of the programme: what Google refuses is listed there. Then press Try now.")
    if http_status in {408, 412, 429} or http_status >= 500 or not http_status:
        return gettext("It is tried again by itself.")
    return gettext("Press Try now; if the answer stays, look at the programme's look and at Google's status page.")


def _apple_remedy(http_status: int, reason: str) -> str:
    if reason in {"BadTopic", "MissingTopic", "TopicDisallowed", "DeviceTokenNotForTopic"}:
        return gettext("Compare the pass type of the programme with that of its certificate: they must be the same.")
    if http_status == 403 or reason in {"NoCredential", "ServerNotTrusted"}:
        return gettext(
            "Look at the certificates page: renew or replace what is refused, then sending goes on by itself."
        )
    if http_status == 429 or http_status >= 500 or not http_status:
        return gettext("It is tried again by itself.")
    return gettext("This is a fault of this software: keep the log and report it. Then press Try now.")


def device_cause(name: str) -> tuple[str, str]:
    """What phones complain of, and what mends it, by the `task:cause` under which their lines were sorted."""
    task, _, cause_name = name.rpartition(":")
    title, hint = _complaint(cause_name)
    return (f"{title} ({_task(task)})" if _task(task) else title), hint


def _task(name: str) -> str:
    return {
        "register": gettext("when a card was added"),
        "unregister": gettext("when a card was removed"),
        "list": gettext("when asking what changed"),
        "fetch": gettext("when fetching a card"),
    }.get(name, "")


def _complaint(name: str) -> tuple[str, str]:
    if found := STATUS_CAUSE.fullmatch(name):
        title = gettext("Phones got an answer %(status)s that they do not accept", status=found[1])
        if found[1].startswith("5"):
            return title, gettext("Look into this service's log, and that of a proxy in front of it, at that time.")
        return title, gettext("Look at the proxy in front of this service: it must pass /apple through unchanged.")
    return {
        "authentication": (
            gettext("Phones were not recognised"),
            gettext("The secret of this installation differs from the one their cards were made with; restore it."),
        ),
        "wrong-pass": (
            gettext("Phones got another card than they asked for"),
            gettext("Look for a cache in front of this service that mixes answers up, and switch it off for /apple."),
        ),
        "invalid-pass": (
            gettext("Phones refused the card that they were given"),
            gettext("Open the look of the programme: what Wallet refuses is listed there."),
        ),
        "malformed-answer": (
            gettext("Phones could not read an answer"),
            gettext("Look for a proxy that changes answers, and let /apple through as it is."),
        ),
        "nfc-certificate": (
            gettext("Phones want a certificate for NFC"),
            gettext("Leave the NFC part out, or ask Apple for such a certificate."),
        ),
        "expired-certificate": (
            gettext("Phones were given a card whose certificate had ended"),
            gettext("Renew the certificate step by step on the certificates page."),
        ),
        "wrong-certificate": (
            gettext("Phones were given a card signed with a certificate of another kind"),
            gettext("Import the certificate of this very pass type, not one for apps."),
        ),
        "manifest": (
            gettext("Phones got a card that was changed after it was signed"),
            gettext("Look for a proxy that rewrites downloads, and let /apple through as it is."),
        ),
        "signature": (
            gettext("Phones did not accept the signature"),
            gettext("Look at the certificates: expiry, intermediate and pass type."),
        ),
        "network": (
            gettext("Phones could not reach this service"),
            gettext("Look at DNS, the TLS certificate of the public address, and the firewall."),
        ),
    }.get(name, (gettext("Other lines"), gettext("Read the lines below.")))


def _apple(http_status: int, reason: str) -> str:
    if http_status == 200:
        return gettext("Apple accepted the push.")
    meaning = MEANINGS.get((http_status, reason))
    if http_status == 410 or (meaning and meaning.outcome is Outcome.GONE):
        return gettext("The phone no longer holds this card.")
    if http_status == 403:
        return gettext("Apple does not accept the certificate.")
    if http_status == 429:
        return gettext("Apple asks for a slower pace for this phone.")
    if http_status >= 500:
        return gettext("Apple's service was unwell.")
    return gettext("Apple did not take the push.") if http_status else gettext("No answer came from Apple.")


def _google(http_status: int) -> str:
    if 200 <= http_status < 300:
        return gettext("Google accepted the card.")
    if http_status in {401, 403}:
        return gettext("Google does not accept the service account.")
    if http_status == 404:
        return gettext("Google does not know this card.")
    if http_status == 429:
        return gettext("Google asks for a slower pace.")
    if http_status >= 500:
        return gettext("Google's service was unwell.")
    return gettext("Google did not take the card.") if http_status else ""
