"""An independent judge of Google bodies: JSON Schema made from the vendor's discovery document.

It knows structure only (types, enums, no member that the vendor does not name) and shares no line with the product's
own check. What a patch clears is null, so a patch is judged with nulls allowed.
"""

import json
from functools import cache
from pathlib import Path

from jsonschema import Draft202012Validator

DOCUMENT = json.loads((Path(__file__).parent / "data" / "walletobjects-schemas.json").read_text())
_INT32 = {"minimum": -(2**31), "maximum": 2**31 - 1}


def assert_valid(type_name: str, body: object) -> None:
    """Fail with every fault if the body is no `type_name` of the discovery document."""
    _assert(type_name, body, nulls=False)


def assert_valid_patch(type_name: str, body: object) -> None:
    """The same for a patch, in which null clears a member."""
    _assert(type_name, body, nulls=True)


def _assert(type_name: str, body: object, *, nulls: bool) -> None:
    # Through text and back: what is judged is what goes over the wire.
    sent = json.loads(json.dumps(body, allow_nan=False))
    faults = [f"{fault.json_path}: {fault.message}" for fault in _validator(type_name, nulls).iter_errors(sent)]
    assert not faults, faults


@cache
def _validator(type_name: str, nulls: bool) -> Draft202012Validator:
    schema = {
        "$ref": f"#/$defs/{type_name}",
        "$defs": {name: _converted(spec, nulls) for name, spec in DOCUMENT["schemas"].items()},
    }
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def _converted(spec: dict[str, object], nulls: bool) -> dict[str, object]:
    members = {name: _member(each, nulls) for name, each in spec.get("properties", {}).items()}  # type: ignore[attr-defined]
    return {"type": "object", "properties": members, "additionalProperties": False}


def _member(spec: dict[str, object], nulls: bool) -> dict[str, object]:
    strict = _strict(spec)
    return {"anyOf": [strict, {"type": "null"}]} if nulls else strict


def _strict(spec: dict[str, object]) -> dict[str, object]:
    if "$ref" in spec:
        return {"$ref": f"#/$defs/{spec['$ref']}"}
    converted: dict[str, object] = {"type": spec["type"]}
    if "items" in spec:
        converted["items"] = _strict(spec["items"])  # type: ignore[arg-type]
    old = set(spec.get("enumDeprecatedValues", ()))  # type: ignore[call-overload]
    if "enum" in spec:
        converted["enum"] = [value for value in spec["enum"] if value not in old]  # type: ignore[attr-defined]
    if spec.get("format") == "int32":
        converted |= _INT32
    if spec.get("format") == "int64":
        converted["pattern"] = "^-?[0-9]{1,19}$"
    return converted
