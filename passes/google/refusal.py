"""Why a callback is not believed."""

from enum import Enum

from passes.errors import CallbackError


class Refusal(Enum):
    """Stable codes, for counters and logs."""

    TOO_LARGE = "too_large"
    MALFORMED = "malformed"
    WRONG_PROTOCOL = "wrong_protocol"
    NO_ROOT_KEYS = "no_root_keys"
    BAD_CHAIN = "bad_chain"
    EXPIRED_KEY = "expired_key"
    BAD_KEY = "bad_key"
    BAD_SIGNATURE = "bad_signature"
    EXPIRED = "expired"
    WRONG_ISSUER = "wrong_issuer"
    UNKNOWN_EVENT = "unknown_event"
    NO_NONCE = "no_nonce"


class RefusedCallback(CallbackError):
    """A callback that must not be believed. Answer 400 without detail, or 503 where the fault is ours."""

    code: Refusal

    def __init__(self, code: Refusal, problem: str) -> None:
        super().__init__(problem)
        self.code = code

    @property
    def may_be_new_keys(self) -> bool:
        """Fetching the root keys again could help; at most once a minute, whoever asks."""
        return self.code in (Refusal.BAD_CHAIN, Refusal.NO_ROOT_KEYS)

    @property
    def is_our_fault(self) -> bool:
        """We hold no keys to judge with: Google should try again later."""
        return self.code is Refusal.NO_ROOT_KEYS
