"""What is wrong with a body, in a form that a person can mend and a program can count."""

from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that is wrong: a stable code, where, what, and how to mend it."""

    code: str
    path: str
    what: str
    mend: str

    def __str__(self) -> str:
        return f"{self.path}: {self.what}; {self.mend}"


@dataclass(kw_only=True)
class Report:
    """Findings as they are gathered."""

    found: list[Finding] = field(default_factory=list)

    def add(self, code: str, path: str, what: str, mend: str) -> None:
        self.found.append(Finding(code=code, path=path, what=what, mend=mend))
