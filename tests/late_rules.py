"""Routes whose builders of addresses are compiled when an address is first built.

Werkzeug compiles two functions for each of 400 routes; an application for every test spends most of its making on them.
"""

from collections.abc import Callable
from typing import Any

from werkzeug.routing import Rule


class LateRule(Rule):
    """As a Rule; an application that builds ten addresses compiles ten builders."""

    def _compile_builder(self, append_unknown: bool = True) -> Callable[..., tuple[str, str]]:
        compile_now = super()._compile_builder

        def build(rule: "LateRule", **values: Any) -> tuple[str, str]:
            made = compile_now(append_unknown).__get__(rule, None)
            setattr(rule, "_build_unknown" if append_unknown else "_build", made)
            return made(**values)  # type: ignore[no-any-return]

        return build
