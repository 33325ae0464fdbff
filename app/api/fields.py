"""What a value in a body or a query may be; each refusal says how to write it."""

import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from marshmallow import ValidationError, fields, validate

MOMENT = re.compile(
    r"\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(\.\d{1,9})?([Zz]|[+-]([01]\d|2[0-3]):[0-5]\d)", flags=re.ASCII
)
EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
LATEST = datetime(2200, 1, 1, tzinfo=UTC)
LARGEST_SAFE = 2**53
ATTRIBUTES_MAX = 50
AMOUNT_PATTERN = re.compile(r"^[0-9]{1,12}(\.[0-9]{1,4})?$", flags=re.ASCII)


class Text(fields.String):
    """One line of text, or several where `lines` says so; never with characters that nobody can see."""

    def __init__(self, *, shortest: int = 0, longest: int, lines: bool = False, **kwargs: Any) -> None:
        checks = [validate.Length(min=shortest, max=longest, error=_length_advice(shortest, longest))]
        messages = {"invalid": "Write this as a text in quotes.", **kwargs.pop("error_messages", {})}
        super().__init__(validate=[*checks, *kwargs.pop("validate", [])], error_messages=messages, **kwargs)
        self._lines = lines

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        text: str = super()._deserialize(value, attr, data, **kwargs)
        if any((ord(c) < 32 or ord(c) == 127) and not (self._lines and c in "\n\t") for c in text):
            raise ValidationError("This holds a character that cannot be shown; write it anew.")
        return text


class Whole(fields.Integer):
    """A whole number; neither true nor 1.5 nor "1" is one."""

    def __init__(self, *, least: int, most: int, **kwargs: Any) -> None:
        bounds = validate.Range(min=least, max=most, error=f"This is a whole number from {least} to {most}.")
        super().__init__(
            strict=True,
            validate=[bounds],
            error_messages={"invalid": "Write this as a whole number, without quotes."},
            **kwargs,
        )

    def _validated(self, value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int | float) or value != value // 1:
            raise self.make_error("invalid", input=value)
        return int(value)


class Degrees(fields.Float):
    """A latitude or a longitude, as a number."""

    def __init__(self, *, most: int, **kwargs: Any) -> None:
        bounds = validate.Range(min=-most, max=most, error=f"This lies between -{most} and {most}.")
        super().__init__(
            validate=[bounds],
            error_messages={"invalid": "Write this as a number of degrees, for example 41.01."},
            **kwargs,
        )

    def _validated(self, value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise self.make_error("invalid", input=value)
        return float(value)


class YesNo(fields.Boolean):
    """true or false; "yes" and 1 are neither."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(error_messages={"invalid": "Write true or false."}, **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> bool:  # noqa: ARG002
        if not isinstance(value, bool):
            raise self.make_error("invalid", input=value)
        return value


class Amount(Text):
    """Money as a decimal string; how many decimals fit is for the currency to say."""

    def __init__(self, **kwargs: Any) -> None:
        advice = 'Write the amount as a decimal string such as "12.50", in quotes.'
        pattern = validate.Regexp(AMOUNT_PATTERN, error=advice)
        super().__init__(longest=17, validate=[pattern], error_messages={"invalid": advice}, **kwargs)


class Moment(fields.DateTime):
    """RFC 3339 with an offset; becomes an aware UTC datetime."""

    ADVICE = "Write the time with its offset from UTC, for example 2026-11-20T13:00:00+03:00."

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> datetime:  # noqa: ARG002
        if not isinstance(value, str) or not MOMENT.fullmatch(value):
            raise ValidationError(self.ADVICE)
        try:
            moment = datetime.fromisoformat(value.upper()).astimezone(UTC)
        except (ValueError, OverflowError):
            raise ValidationError(self.ADVICE) from None
        if not EARLIEST <= moment <= LATEST:
            raise ValidationError("This time lies outside of the years 2000 to 2199.")
        return moment


class TextsByLanguage(fields.Dict):
    """{"en": "Points", "tr": "Puan"}"""

    def __init__(self, *, longest: int, **kwargs: Any) -> None:
        super().__init__(
            keys=Text(longest=35),
            values=Text(longest=longest, lines=True),
            validate=[validate.Length(max=20, error="There are at most 20 languages.")],
            error_messages={"invalid": 'Write the texts by language, for example {{"en": "Points", "tr": "Puan"}}.'},
            **kwargs,
        )


class Attributes(fields.Dict):
    """Facts about a member by name: texts, numbers, true, false or null."""

    def __init__(self, **kwargs: Any) -> None:
        advice = 'Write attributes as an object, for example {{"favourite": "latte"}}.'
        super().__init__(keys=Text(shortest=1, longest=60), error_messages={"invalid": advice}, **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        found: dict[str, Any] = super()._deserialize(value, attr, data, **kwargs)  # type: ignore[no-untyped-call]  # marshmallow leaves it bare
        if len(found) > ATTRIBUTES_MAX:
            raise ValidationError(f"A member has at most {ATTRIBUTES_MAX} attributes.")
        wrong = {name: "An attribute is a text of at most 500 characters, a number, true, false or null."
                 for name, one in found.items() if not _is_plain(one)}  # fmt: skip
        if wrong:
            raise ValidationError(wrong)
        return found


def optional(field: fields.Field[Any]) -> fields.Field[Any]:
    """The same field, that may also be null, which means left out."""
    field.allow_none = True
    return field


def flattened(messages: Any, where: str = "") -> Mapping[str, str]:
    """Marshmallow's nested messages as one sentence for each dotted field name; at most twenty."""
    if isinstance(messages, str):
        return {where or "body": messages}
    if isinstance(messages, list):
        return flattened(messages[0], where) if messages else {}
    found: dict[str, str] = {}
    for name, inner in messages.items():
        silent = name in {"_schema", "value", "key"}
        place = where if silent else f"{where}.{str(name)[:60]}".lstrip(".")
        found.update(flattened(inner, place))
        if len(found) >= 20:
            break
    return found


def _is_plain(value: Any) -> bool:
    if isinstance(value, str):
        return len(value) <= 500
    if isinstance(value, bool) or value is None:
        return True
    return isinstance(value, int | float) and abs(value) <= LARGEST_SAFE


def _length_advice(shortest: int, longest: int) -> str:
    return f"This has {shortest} to {longest} characters." if shortest else f"This has at most {longest} characters."
