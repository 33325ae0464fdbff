"""Partial answers: `fields=id,hasUsers` and `fields=resources(id,state),pagination`."""

from typing import Any

from app.sandbox.google.refusal import invalid

Mask = dict[str, "Mask"]


def parse_mask(text: str) -> Mask:
    """Raises Refusal (400) where the brackets do not match."""
    root: Mask = {}
    stack = [root]
    name = ""
    last = root
    for character in text + ",":
        if character in ",()":
            if name:
                last = stack[-1].setdefault(name.strip(), {})
                name = ""
            if character == "(":
                stack.append(last)
            elif character == ")":
                stack.pop()
                if not stack:
                    raise invalid(f"Invalid field selection {text[:80]}")
        else:
            name += character
    if len(stack) != 1:
        raise invalid(f"Invalid field selection {text[:80]}")
    return root


def masked(value: Any, mask: Mask) -> Any:
    if not mask or "*" in mask:
        return value
    if isinstance(value, list):
        return [masked(item, mask) for item in value]
    if isinstance(value, dict):
        return {name: masked(value[name], inner) for name, inner in mask.items() if name in value}
    return value
