"""What a test or an operator may order Google to do wrong."""

from dataclasses import dataclass

from app.sandbox.script import Order


@dataclass(frozen=True, kw_only=True)
class Fault(Order):
    """One order.

    `operation` is a name such as loyaltyObject.patch, loyaltyClass.addMessage, issuer.get, jwt.insert, token, rootKeys;
    without one it fits every call of the REST API. `resource_id` limits it further.
    `status` 0 leaves the true answer (with `latency_s`, a slow one). `apply` carries the call out first. `drop` cuts
    the connection instead of answering: with `apply`, an answer lost after the change was made.
    """

    operation: str | None = None
    resource_id: str | None = None
    status: int = 0
    reason: str = "backendError"
    message: str = "Scripted fault"
    retry_after_s: int | None = None
    latency_s: float = 0.0
    apply: bool = False
    drop: bool = False


APART = {"token", "rootKeys", "save", "batch"}  # not the REST API: only faults that name them fit


def fits(fault: Fault, operation: str, resource_id: str) -> bool:
    """Whether a fault is meant for this call."""
    if fault.operation != operation and (fault.operation is not None or operation in APART):
        return False
    return fault.resource_id in (None, resource_id)
