"""What the simulated iPhone says about a pass."""

from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One fault of a pass; Wallet refuses it when fatal, else shows the pass with the defect."""

    code: str
    text: str
    fatal: bool = True


@dataclass
class Findings:
    """Collects faults, so that one look at a pass names them all."""

    items: list[Finding] = field(default_factory=list)

    def refuse(self, code: str, text: str) -> None:
        self.items.append(Finding(code=code, text=text))

    def defect(self, code: str, text: str) -> None:
        self.items.append(Finding(code=code, text=text, fatal=False))

    @property
    def fatal(self) -> list[Finding]:
        return [finding for finding in self.items if finding.fatal]
