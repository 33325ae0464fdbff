"""What the pages of rules call kinds, periods and occasions."""

from app.admin.texts import gettext
from app.earning.rules import Period

OCCASIONS = ("birthday", "birthday_week", "first_purchase", "joined")


def kinds() -> list[tuple[str, str, str]]:
    """Each kind of rule: its name in JSON, its title, and what it is for."""
    return [
        ("amount", gettext("Points for money"), gettext("So many points for so much spent.")),
        ("unit", gettext("Points for pieces"), gettext("So many points for each piece of some products.")),
        ("visit", gettext("Points for a purchase"), gettext("So many points, whatever it costs.")),
        ("event", gettext("Points for an event"), gettext("For what is no purchase, such as a review.")),
        ("multiplier", gettext("Multiplier"), gettext("Double points on some days, for a tier, at a store.")),
        ("bonus", gettext("Extra points"), gettext("Once in a purchase that is large enough.")),
        ("exclusion", gettext("Earns nothing"), gettext("Products that earn no points.")),
        ("cap", gettext("Limit"), gettext("At most so many points in a period.")),
        ("discount", gettext("Discount"), gettext("A share off, rising with what was spent before.")),
        ("bonus_money", gettext("Money for later"), gettext("A share of the purchase, to be spent another time.")),
    ]


def title(kind: str) -> str:
    return next((name for key, name, _ in kinds() if key == kind), kind)


def periods() -> list[tuple[str, str]]:
    return [
        (Period.SALE.value, gettext("a purchase")),
        (Period.DAY.value, gettext("a day")),
        (Period.WEEK.value, gettext("a week")),
        (Period.MONTH.value, gettext("a month")),
        (Period.WHOLE.value, gettext("as long as these rules hold")),
        (Period.BUDGET.value, gettext("for all members together")),
    ]


def labels() -> dict[str, str]:
    """What stands beside a field, by the end of its name."""
    return {
        "name": gettext("Name"),
        "points": gettext("Points"),
        "per": gettext("For every"),
        "factor": gettext("Times"),
        "minimum": gettext("Smallest purchase"),
        "event": gettext("Event"),
        "percent": gettext("Percent"),
        "max_share": gettext("Of a later purchase at most (percent)"),
        "expires_days": gettext("To be spent within (days)"),
        "no_end": gettext("It has no last day, and that is meant"),
        "starts_at": gettext("Begins on"),
        "note": gettext("Note"),
        "receipts": gettext("Receipts"),
        "days": gettext("Days"),
        "point_value": gettext("What a point is worth"),
    }
