"""What was noticed, as a sentence in the reader's language."""

from app import i18n
from app.fraud.models import Notice
from app.ledger import service, words


def title(kind: str, language: str) -> str:
    """The kind of notice in a few words."""
    return {
        "card_limit": i18n.text(language, "A card reached its limit"),
        "staff_limit": i18n.text(language, "A person reached their limit"),
        "store_limit": i18n.text(language, "A store reached its limit"),
        "own_card": i18n.text(language, "Somebody used their own card"),
        "many_earns": i18n.text(language, "One card, many purchases"),
        "many_tills": i18n.text(language, "One card, many tills"),
        "after_hours": i18n.text(language, "Outside of opening hours"),
        "adjusted": i18n.text(language, "A balance was corrected by hand"),
    }.get(kind, kind)


def sentence(notice: Notice, language: str) -> str:
    """What happened, with its figures. Who, where and when stand beside it."""
    facts = notice.facts
    if notice.kind == "card_limit":
        if facts.get("period") == "hour":
            return i18n.text(language, "The card earned %(limit)s times in an hour; the next was refused.",
                             limit=facts.get("limit", 0))  # fmt: skip
        return i18n.text(language, "The card earned %(limit)s times in a day; the next was refused.",
                         limit=facts.get("limit", 0))  # fmt: skip
    if notice.kind in {"staff_limit", "store_limit"}:
        return i18n.text(language, "%(earns)s purchases and %(points)s points in an hour; the next was refused.",
                         earns=facts.get("earns", 0), points=facts.get("points", 0))  # fmt: skip
    if notice.kind == "adjusted":
        return change(int(facts.get("units", 0)), str(facts.get("unit", "points")), language)
    return {
        "own_card": i18n.text(language, "It was refused: nobody gives anything to their own card."),
        "many_earns": i18n.text(language, "%(num)s purchases on this day.", num=facts.get("sales", 0)),
        "many_tills": i18n.text(language, "Used at %(num)s tills on this day.", num=facts.get("tills", 0)),
        "after_hours": i18n.text(language, "A purchase was booked while the store is closed."),
    }.get(notice.kind, "")


def change(units: int, unit: str, language: str) -> str:
    """How much of what: "+400 Points", or money with its currency alone."""
    said = words.signed(units, unit, language)
    return said if service.is_money(unit) else f"{said} {words.unit(unit, language)}"
