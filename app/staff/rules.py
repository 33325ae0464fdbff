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


def may(role: str, roles: Collection[str]) -> bool:
    """Whether *role* is one of *roles*; the owner may everything, and no roles named means everyone signed in."""
    return role == OWNER or not roles or role in roles


def home(role: str) -> str:
    """Where a person of that role lands after signing in."""
    return HOME_BY_ROLE.get(role, "/account")


def is_role(text: str) -> bool:
    return text in ROLES


def password_problem(password: str, email: str) -> str | None:
    """Why a password is too easy to guess, as a sentence, or None."""
    if len(password) < SHORTEST_PASSWORD:
        return f"Use at least {SHORTEST_PASSWORD} characters; a short sentence is easy to remember."
    if len(password) > LONGEST_PASSWORD:
        return f"Use at most {LONGEST_PASSWORD} characters."
    if len(set(password)) < FEWEST_DIFFERENT_CHARACTERS:
        return "Use more different characters; a short sentence is easy to remember."
    name = email.partition("@")[0].lower()
    if len(name) >= 4 and name in password.lower():
        return "Leave the e-mail address out of the password."
    return None


def safe_next(path: str | None) -> str | None:
    """*path*, if it is an address of this installation that a sign-in may lead to, else None.

    A browser reads "//host", "/\\host" and control characters as another site.
    """
    if not path or not path.startswith("/") or path.startswith("//"):
        return None
    if "\\" in path or not path.isprintable() or len(path) > 500:
        return None
    return path
