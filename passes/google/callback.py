"""Save and delete callbacks: believe them only when the whole chain of signatures holds."""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from passes.errors import CallbackError
from passes.google.root_keys import RootKeys

BODY_MAX_BYTES = 16 * 1024


class Refusal(Enum):
    """Why a callback is not believed; stable, for counters and logs."""

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
    """A callback that must not be believed.

    Attributes:
        may_be_new_keys: fetching the root keys again could help (at most once a minute, whoever asks).
        is_our_fault: answer 503 so that Google tries again; otherwise 400.
    """

    code: Refusal

    def __init__(self, code: Refusal, problem: str) -> None:
        super().__init__(problem)
        self.code = code

    @property
    def may_be_new_keys(self) -> bool:
        return self.code in (Refusal.BAD_CHAIN, Refusal.NO_ROOT_KEYS)

    @property
    def is_our_fault(self) -> bool:
        return self.code is Refusal.NO_ROOT_KEYS


class EventType(Enum):
    SAVE = "save"
    DELETE = "del"


@dataclass(frozen=True, kw_only=True)
class CallbackEvent:
    """Somebody saved or removed a card.

    Ids are as Google sent them: ours by issuer, not necessarily known. Keep the nonce, unique, in the transaction of
    the effect, until `expires_at` plus a margin: the same event may come twice.
    """

    event: EventType
    class_id: str
    object_id: str
    nonce: str
    expires_at: datetime
    count: int


def verify(body: bytes, *, keys: RootKeys, issuer: str, now: datetime) -> CallbackEvent:
    """Check a callback's bytes and read the event.

    Args:
        issuer: our configured issuer id; never one from the message, or another issuer's genuine callbacks pass.

    Raises: RefusedCallback.
    Source: Google Wallet, "Use callbacks for saves and deletions"; Google Pay, "Payment data cryptography", ECv2SigningOnly.
    """
    raise NotImplementedError
