"""What is wrong with a finished pass: rules with a stable code, and findings that cite them."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum


class Severity(Enum):
    """What Wallet does about it."""

    ERROR = "error"  # refuses the pass, or never updates it
    WARNING = "warning"  # silently drops, ignores or alters something
    NOTE = "note"  # works, but not everywhere or not well


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One fault in one place.

    Attributes:
        code: stable, for programs; `tessera pass lint --explain CODE` tells more.
        where: the file or key, such as `pass.json: storeCard.headerFields[0]`; "" for the whole archive.
        message: what is wrong.
        hint: how to mend it.
    """

    code: str
    severity: Severity
    where: str
    message: str
    hint: str


@dataclass(frozen=True, kw_only=True)
class Rule:
    """A kind of fault: its code, what Wallet does, and how to mend it."""

    code: str
    severity: Severity
    meaning: str
    hint: str

    def found(self, where: str = "", detail: str = "", *, hint: str = "") -> Finding:
        """Cite the rule; `detail` says more than the rule's general meaning."""
        message = f"{detail}: {self.meaning}" if detail else self.meaning
        return Finding(
            code=self.code,
            severity=self.severity,
            where=_printable(where),
            message=_printable(message),
            hint=hint or self.hint,
        )


def _printable(text: str) -> str:
    """File names and keys come from strangers; a terminal must not obey them."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


class Rulebook:
    """The rules of one subject, in the order in which they were written."""

    def __init__(self) -> None:
        self._rules: dict[str, Rule] = {}

    def error(self, code: str, meaning: str, hint: str) -> Rule:
        return self._add(Rule(code=code, severity=Severity.ERROR, meaning=meaning, hint=hint))

    def warning(self, code: str, meaning: str, hint: str) -> Rule:
        return self._add(Rule(code=code, severity=Severity.WARNING, meaning=meaning, hint=hint))

    def note(self, code: str, meaning: str, hint: str) -> Rule:
        return self._add(Rule(code=code, severity=Severity.NOTE, meaning=meaning, hint=hint))

    def __iter__(self) -> Iterator[Rule]:
        return iter(self._rules.values())

    def _add(self, rule: Rule) -> Rule:
        if rule.code in self._rules:
            raise ValueError(f"the code {rule.code} is taken")
        self._rules[rule.code] = rule
        return rule
