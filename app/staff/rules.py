"""What each role may do: the one table, read by guards, pages and tests."""

from collections.abc import Collection

from app.staff.models import ROLES

OWNER = "owner"
SCOPES = ("read", "write", "admin")

TILL = ("cashier", "manager")
TILL_ABOVE_LIMIT = ("manager",)
TILL_UNDO_OF_OTHERS = ("manager",)
MARKETING = ("marketer", "approver")
MARKETING_READ = ("marketer", "approver", "manager", "auditor")
MARKETING_APPROVE = ("approver",)
MARKETING_SETTINGS = ("approver",)  # who may say above how many people a second person is asked is not who is checked
ADMIN = ("operator",)
ADMIN_READ = ("operator", "auditor", "support")

HOME_BY_ROLE = {
    "owner": "/admin",
    "operator": "/admin",
    "auditor": "/admin",
    "support": "/admin",
    "marketer": "/marketing",
    "approver": "/marketing",
    "manager": "/till",
    "cashier": "/till",
    "integrator": "/account",
}

SHORTEST_PASSWORD = 10
LONGEST_PASSWORD = 200
FEWEST_DIFFERENT_CHARACTERS = 5
PASSWORD_PROBLEMS = {
    "password_too_short": "Use at least 10 characters; a short sentence is easy to remember.",
    "password_too_long": "Use at most 200 characters.",
    "password_too_plain": "Use more different characters; a short sentence is easy to remember.",
    "password_is_address": "Leave the e-mail address out of the password.",
}


def may(role: str, roles: Collection[str]) -> bool:
    """Whether *role* is one of *roles*; the owner may everything, and no roles named means everyone signed in."""
    return role == OWNER or not roles or role in roles


def home(role: str) -> str:
    """Where a person of that role lands after signing in."""
    return HOME_BY_ROLE.get(role, "/account")


def is_role(text: str) -> bool:
    return text in ROLES


def password_problem(password: str, email: str) -> str | None:
    """Why a password is too easy to guess, as a code of `PASSWORD_PROBLEMS`, or None."""
    name = email.partition("@")[0].lower()
    if len(password) < SHORTEST_PASSWORD:
        return "password_too_short"
    if len(password) > LONGEST_PASSWORD:
        return "password_too_long"
    if len(set(password)) < FEWEST_DIFFERENT_CHARACTERS:
        return "password_too_plain"
    return "password_is_address" if len(name) >= 4 and name in password.lower() else None


def safe_next(path: str | None) -> str | None:
    """*path*, if it is an address of this installation that a sign-in may lead to, else None.

    A browser reads "//host", "/\\host" and control characters as another site.
    """
    if not path or not path.startswith("/") or path.startswith("//"):
        return None
    if "\\" in path or not path.isprintable() or len(path) > 500:
        return None
    return path
