"""What people read about sales that were kept without a connection; needs a page around it."""

from flask_babel import gettext

from app.errors import AppError
from app.i18n import translate
from app.till.models import OfflineSale
from app.till.offline import rules
from app.till.words import sentence


def why(code: str, detail: str, currency: str) -> str:
    """Why an item was not booked, in a sentence."""
    own = {
        "too_old": gettext("This is more than 72 hours old."),
        "already_booked": gettext("This was booked before the connection was lost."),
        "duplicate_receipt": gettext("This receipt has earned at another till."),
        "needs_manager": gettext("This amount needs a manager."),
        "offline_not_allowed": gettext("This store redeems nothing, or less, without a connection."),
        "stamps_not_allowed": gettext("This store gives no stamps without a connection."),
        "unknown_cashier": gettext("The person who made this does not work here any more."),
        "wrong_store": gettext("This was made in another store. Somebody who works there can send it."),
    }
    return own.get(code) or sentence(AppError(code, detail), currency)


def what_to_do(row: OfflineSale) -> str:
    """What somebody who manages the store can do about it."""
    if row.status == "duplicate":
        return str(gettext("Nothing: the customer has the points already. Set it aside."))
    if row.status == "applied":
        return str(_about_flags(row))
    advice = {
        "unknown_code": gettext("Ask the customer for the right card, type its code, and accept."),
        "void_card": gettext("Type the code of the customer's new card, and accept."),
        "too_old": gettext("Compare it with the receipts of that day. Accept it, or set it aside."),
        "needs_manager": gettext("Compare it with the receipt. Accept it, or set it aside."),
        "offline_not_allowed": gettext("If the customer was given something, accept it to take the points."),
        "unknown_cashier": gettext("Accept it, and it is booked in your name."),
    }
    return advice.get(row.reason) or str(gettext("Mend the cause and accept it, or set it aside with a reason."))


def flag(name: str, lost: int) -> str:
    """What is odd about an item that was booked."""
    said: dict[str, str] = {
        rules.CLOCK: gettext("The till's clock was wrong: it is booked at the time it arrived."),
        rules.TWICE: gettext("The same card and amount was booked within a minute: perhaps twice the same sale."),
        rules.ALLOWANCE: gettext("The card used more points than the store allows for a day without a connection."),
        rules.LOSS: gettext("The card had %(points)s points too few: they are a loss of the store.", points=lost),
    }
    return said.get(name, name)


def refusal(problem: AppError, currency: str) -> str:
    """A refusal as a till or a manager reads it."""
    return why(problem.code, problem.public, currency)


def plain(problem: AppError) -> str:
    """A refusal of something that belongs to no programme yet."""
    return translate(problem.public)


def _about_flags(row: OfflineSale) -> str:
    if rules.TWICE in row.flags:
        return str(gettext("Compare the receipts. If it is the same sale, undo one of the two on the card."))
    if rules.CLOCK in row.flags:
        return str(gettext("Set the clock of that till. The sale is booked; nothing else is to be done."))
    return str(gettext("It is booked. Take note of it, and set it aside."))


def for_scripts() -> list[tuple[str, str]]:
    """The texts of the page that scripts fill in; {…} are theirs."""
    return [
        ("purchase", gettext("Purchase {amount}")),
        ("used", gettext("{points} points used")),
        ("stamp", gettext("+1 stamp {name}")),
        ("undo", gettext("Take back: {what}")),
        ("undone", gettext("Taken back: {what}")),
        (
            "nobody",
            gettext("Nobody is signed in at this till. Sign in when the connection is back; what waits is kept."),
        ),
        ("not_a_code", gettext("This is not a card code. Check it for a typing mistake.")),
        ("amount_invalid", gettext("Type the amount as {example}.")),
        ("amount_zero", gettext("The amount must be more than zero.")),
        ("amount_large", gettext("This amount is larger than any sale. Check it.")),
        ("needs_manager", gettext("Above {amount} a manager books it, when the connection is back. Keep the receipt.")),
        ("invalid_points", gettext("Points are a whole number above zero.")),
        ("allowed", gettext("This store lets a card use {points} points a day without a connection.")),
        ("beyond_allowance", gettext("This card can use {points} more points today without a connection.")),
        ("offline_not_allowed", gettext("Nothing can be redeemed without a connection.")),
        ("full", gettext("500 sales wait: no more fit. Nothing is lost. Book on paper until the connection is back.")),
        ("old", gettext("Some kept sales are more than 72 hours old: a manager decides about them.")),
        (
            "unreadable",
            gettext("Kept sales that cannot be read any more on this device: {n}. They stay here; tell the operator."),
        ),
        ("not_kept", gettext("This browser cannot keep anything. Book on paper until the connection is back.")),
        ("sent_already", gettext("It has been sent already. Undo it on the till's page.")),
        ("connected", gettext("The connection is back.")),
        ("sent", gettext("Kept sales sent: {n}.")),
        ("conflicts", gettext("Sales of this store that need a look by a manager: {n}.")),
        (
            "clock",
            gettext("The clock of this till is wrong by {n} min: the time of the service is used. Set the clock."),
        ),
        ("sign_in", gettext("The connection is back, but nobody is signed in. Sign in, and what waits is sent.")),
        ("choose_store", gettext("The connection is back. Choose your store, and what waits is sent.")),
    ]
