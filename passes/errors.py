"""What can go wrong in `passes`.

PassError
 ├─ InvalidPass         a model that Wallet would refuse; carries every problem
 ├─ IdentityError       certificate, key and intermediate do not fit together
 ├─ BundleError         bytes that are no pass archive, or one beyond the limits
 ├─ VerificationError   a signature, link or archive whose proof does not hold
 └─ CallbackError       a vendor's callback that must not be believed
"""

from collections.abc import Iterable


class PassError(Exception):
    """Anything that `passes` refuses; the text says what to change.

    Attributes:
        problems: every fault found, one sentence each; never empty.
    """

    problems: tuple[str, ...]

    def __init__(self, problems: str | Iterable[str]) -> None:
        self.problems = (problems,) if isinstance(problems, str) else tuple(problems)
        super().__init__("; ".join(self.problems))


class InvalidPass(PassError):
    """A pass, class or object that the wallet would refuse or silently alter."""


class IdentityError(PassError):
    """Certificate, key, intermediate or service account cannot be used together."""


class BundleError(PassError):
    """Bytes that are not a pass archive, or one beyond the reading limits."""


class VerificationError(PassError):
    """A proof (signature, digest, chain) that does not hold."""


class CallbackError(PassError):
    """A callback that must not be believed."""
