"""This room's refusals in the reader's language, by code; needs a page around it."""

from flask_babel import gettext

from app.errors import AppError
from app.i18n import translate


def sentence(problem: AppError) -> str:
    """What the person reads about a refusal."""
    if problem.code == "slow_down":
        seconds = problem.retry_after_s or 1
        return str(gettext("Too many tries. Wait %(seconds)d seconds, then try again.", seconds=seconds))
    return _sentences().get(problem.code) or translate(problem.public)


def _sentences() -> dict[str, str]:
    return {
        "wrong_sign_in": gettext("The e-mail address or the password is not right."),
        "wrong_code": gettext("The code is not right, or was used already. Type the one shown now."),
        "wrong_password": gettext("This is not your present password."),
        "password_too_short": gettext("Use at least 10 characters; a short sentence is easy to remember."),
        "password_too_long": gettext("Use at most 200 characters."),
        "password_too_plain": gettext("Use more different characters; a short sentence is easy to remember."),
        "password_is_address": gettext("Leave the e-mail address out of the password."),
    }
