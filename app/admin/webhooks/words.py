"""What webhooks report by code, in the reader's language."""

from app.admin.texts import gettext
from app.i18n import translate
from app.webhooks import kinds
from app.webhooks.addresses import REFUSALS


def kind(name: str) -> str:
    """What has happened."""
    return {
        kinds.CARD_CREATED: gettext("A card is made"),
        kinds.CARD_INSTALLED: gettext("A card comes onto a phone"),
        kinds.CARD_UNINSTALLED: gettext("A card leaves its last phone"),
        kinds.CARD_UPDATED: gettext("A card changes"),
        kinds.TRANSACTION_CREATED: gettext("Points move"),
        kinds.OFFER_REDEEMED: gettext("An offer is used"),
        kinds.OFFER_BUDGET: gettext("Most of an offer's budget is used"),
        kinds.CAMPAIGN_FINISHED: gettext("A change for many cards is over"),
        kinds.ALARM_RAISED: gettext("An alarm begins"),
        kinds.ALARM_CLEARED: gettext("An alarm is over"),
        kinds.PING: gettext("A test"),
    }.get(name, name)


def reason(code: str) -> str:
    """Why an attempt failed."""
    if code.startswith("status "):
        return gettext("It answered %(status)s", status=code.removeprefix("status "))
    known = {
        "timeout": gettext("No answer within ten seconds"),
        "unreachable": gettext("It could not be reached"),
        "certificate": gettext("Its certificate is not trusted, or is for another name"),
        "tls": gettext("No secure connection could be made"),
        "no_answer": gettext("It hung up without an answer"),
        "forgotten": gettext("It waited for more than 14 days"),
    }
    if code in REFUSALS:
        return translate(REFUSALS[code])
    return known.get(code) or gettext("The connection failed (%(code)s)", code=code)


def disabled(code: str) -> str:
    """Why nothing is sent to a webhook."""
    return {
        "gone": gettext("It answered 410: it wants to be told nothing more."),
        "failing": gettext("It failed for five days. Mend it, then switch it on and send again what it missed."),
    }.get(code) or gettext("Somebody here switched it off.")


def state(name: str) -> str:
    """A delivery's state."""
    return {
        "waiting": gettext("Waiting"),
        "sent": gettext("Sent"),
        "parked": gettext("Given up"),
        "failed": gettext("Dropped"),
    }.get(name, name)
