"""Reading what a client sent: strictly, and never with a surprise further in."""

import json
import math
from collections.abc import Mapping
from typing import Any

from marshmallow import Schema, ValidationError

from app.api.fields import flattened
from app.errors import BadRequest, Unprocessable

BODY_BYTES = 256 * 1024


def parsed(raw: bytes) -> Any:
    """The value of a JSON body.

    Raises: BadRequest `broken_json`, saying what is broken.
    """
    try:
        # json.loads would guess other encodings and let surrogates through
        text = raw.decode("utf-8")
        value = json.loads(text, object_pairs_hook=_without_doubles, parse_float=_finite, parse_constant=_refuse)
        if "\\u" in text:
            _check_characters(_flat(value))
    except RecursionError:
        raise _broken("it is nested too deeply") from None
    except UnicodeDecodeError:
        raise _broken("it is not UTF-8") from None
    except UnicodeEncodeError:
        raise _broken("a \\u escape in it stands for half a character") from None
    except json.JSONDecodeError as problem:
        raise _broken(f"{problem.msg} in line {problem.lineno}, column {problem.colno}") from None
    except ValueError as problem:
        raise _broken(str(problem)[:120]) from None
    return value


def loaded(schema: Schema, value: Any, *, code: str = "invalid_body") -> dict[str, Any]:
    """The checked fields of a body or a query.

    Raises: Unprocessable with a sentence for each faulty or unknown field.
    """
    try:
        found: dict[str, Any] = schema.load(value)
    except ValidationError as problem:
        errors = flattened(problem.messages)
        named = " ".join(f"{name}: {text}" for name, text in list(errors.items())[:3])
        raise Unprocessable(code, named, errors=errors) from None
    return found


def single(values: Mapping[str, list[str]]) -> dict[str, str]:
    """A query's parameters, each given once.

    Raises: Unprocessable `invalid_query`.
    """
    doubled = [name for name, given in values.items() if len(given) > 1]
    hidden = [name for name, given in values.items() if "\0" in name + "".join(given)]
    if doubled or hidden:
        text = "Give this once, without characters that cannot be shown."
        errors = {name.replace("\0", "")[:60]: text for name in (doubled + hidden)[:20]}
        raise Unprocessable("invalid_query", text, errors=errors)
    return {name: given[0] for name, given in values.items()}


def _flat(value: Any) -> str:
    """All texts of a value, one after the other."""
    if isinstance(value, str):
        return value
    if isinstance(value, dict):
        return "".join(_flat(key) + _flat(inner) for key, inner in value.items())
    return "".join(_flat(inner) for inner in value) if isinstance(value, list) else ""


def _check_characters(texts: str) -> None:
    texts.encode()  # half of a surrogate pair cannot be stored
    if "\0" in texts:
        raise ValueError("it holds the character NUL")


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands in it twice")
    return found


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("a number in it is too large")
    return number


def _refuse(name: str) -> Any:
    raise ValueError(f"{name} is no JSON number")


def _broken(reason: str) -> BadRequest:
    return BadRequest("broken_json", f"The body is not valid JSON: {reason}.")
