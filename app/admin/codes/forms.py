"""What an operator types of a batch of codes."""

from collections.abc import Mapping
from datetime import datetime

from app import localtime
from app.admin.texts import gettext
from app.cards.models import Programme
from app.coupons.batches import BatchDraft
from app.errors import Unprocessable

LONGEST_NUMBER = 12


def draft(form: Mapping[str, str], programme: Programme, *, size: int | None = None) -> BatchDraft:
    """A batch as typed; `gives` is "points", or "reward:" or "offer:" and an id. What it cannot be is found later.

    Raises: Unprocessable `invalid_batch` with a sentence for each field that cannot be read.
    """
    errors: dict[str, str] = {}
    gives, _, subject = _line(form, "gives").partition(":")
    made = BatchDraft(
        name=_line(form, "name"),
        gives=gives or "points",
        subject=subject,
        points=_whole(form, "points") if gives == "points" else 0,
        size=_whole(form, "size") if size is None else size,
        starts_at=_moment(form, "starts_at", programme, errors),
        ends_at=_moment(form, "ends_at", programme, errors),
    )
    if errors:
        raise Unprocessable("invalid_batch", " ".join(errors.values()), errors=errors)
    return made


def _line(form: Mapping[str, str], name: str) -> str:
    return form.get(name, "").strip()


def _whole(form: Mapping[str, str], name: str) -> int:
    """A whole number as typed; 0, which is refused, for what is none."""
    digits = "".join(form.get(name, "").split())
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) <= LONGEST_NUMBER else 0


def _moment(form: Mapping[str, str], name: str, programme: Programme, errors: dict[str, str]) -> datetime | None:
    typed = _line(form, name)
    if not typed:
        return None
    try:
        local = datetime.fromisoformat(typed)
        if local.tzinfo is None:
            return localtime.instant(local, programme.timezone)
    except (ValueError, OverflowError):
        pass
    errors[name] = gettext("Choose a day and a time.")
    return None
