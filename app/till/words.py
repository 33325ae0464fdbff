"""What a cashier reads when something is refused, by code; needs a page around it."""

from flask_babel import gettext

from app import money
from app.errors import AppError, Sentence
from app.i18n import page_language, translate

OWN_WORDS = {"code", "booking"}


def sentence(problem: AppError, currency: str) -> str:
    """One short sentence for a refusal."""
    if problem.code == "locked":
        minutes = -(-(problem.retry_after_s or 60) // 60)
        return str(gettext("Too many wrong codes. This till opens again in %(minutes)d min.", minutes=minutes))
    if problem.code == "invalid_amount":
        return str(gettext("Type the amount as %(example)s.", example=money.example_in(currency, page_language())))
    told = problem.public
    if OWN_WORDS & problem.errors.keys():  # what is refused of an offer by the same code has other words
        return translate(told)
    if isinstance(told, Sentence) and told.values:  # it says how much is missing, or when; the general one does not
        return translate(told)
    return _sentences().get(problem.code) or translate(told)


def offer_refusal(code: str) -> str:
    """Why an offer on the card cannot be used now."""
    return _sentences().get(code, code)


def _sentences() -> dict[str, str]:
    return {
        "unknown_code": gettext("Card not found."),
        "not_a_code": gettext("This is not a card code. Check it for a typing mistake."),
        "void_card": gettext("This card was replaced. Ask for the new one."),
        "card_not_active": gettext("This card was replaced. Ask for the new one."),
        "amount_zero": gettext("The amount must be more than zero."),
        "amount_too_large": gettext("This amount is larger than any sale. Check it."),
        "needs_manager": gettext("This needs a manager. Press F9 to let one approve it."),
        "duplicate_receipt": gettext("This receipt has earned points already."),
        "invalid_receipt": gettext("A receipt number has at most 64 characters."),
        "invalid_points": gettext("Points are a whole number above zero."),
        "insufficient": gettext("The card has too few points for this."),
        "unknown_receipt": gettext("No sale with this receipt number here."),
        "exceeds_original": gettext("More comes back than was bought, or it came back already."),
        "other_card": gettext("This receipt belongs to another card."),
        "discount_changed": gettext("The discount has changed meanwhile. Look at it again."),
        "same_card": gettext("The purchase is on this card already."),
        "unknown_line": gettext("This sale has no such line. Open the return again."),
        "nothing_chosen": gettext("Choose what comes back."),
        "hold_ended": gettext("The reservation is over. Choose the reward again."),
        "unknown_hold": gettext("The reservation is over. Choose the reward again."),
        "unknown_stamp_card": gettext("This stamp card is no longer offered."),
        "invalid_stamps": gettext("Stamps are a whole number above zero."),
        "outside_hours": gettext("Not valid at this hour."),
        "min_spend": gettext("The basket is too small for this."),
        "offline_not_allowed": gettext("Not without a connection."),
        "unknown_reward": gettext("This reward is no longer offered."),
        "unknown_offer": gettext("This offer is no longer there."),
        "not_eligible": gettext("This is not for this card."),
        "not_started": gettext("This offer has not started yet."),
        "ended": gettext("This offer has ended."),
        "already_used": gettext("This card has used the offer already."),
        "limit_reached": gettext("This card has used the offer as often as it may."),
        "budget_spent": gettext("All of this offer are used up."),
        "unknown_transaction": gettext("There is nothing to undo here."),
        "already_reversed": gettext("This was undone already."),
        "not_reversible": gettext("An undo cannot be undone. Book the sale again."),
        "idempotency_mismatch": gettext("This form was used already. Scan the card again for a new sale."),
        "idempotency_key_missing": gettext("This form is out of date. Scan the card again."),
        "idempotency_key_invalid": gettext("This form is out of date. Scan the card again."),
        "in_progress": gettext("This is being booked at the moment. Look at the last actions."),
        "wrong_store": gettext("This store belongs to another programme. Choose your store again."),
        "invalid_choice": gettext("Redeem one thing at a time."),
    }
