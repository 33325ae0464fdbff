"""What the end of a push means: an answer of APNs, or a fault on the way, each by its name and in words."""

import re
import ssl
from dataclasses import replace

from app.wallets.apple.batches import Woken
from app.wallets.apple.dial import BadCredential, BadTrust
from app.wallets.apple.frames import ProtocolFault
from passes.apple.push import Failure, PushAnswer, answer, failed

# OpenSSL's words for something that is no TLS.
NO_TLS = re.compile(r"wrong.version.number|http.request|packet.length.too.long|record.layer.failure", re.IGNORECASE)
# OpenSSL's words when APNs ends a handshake because of our certificate; with TLS 1.3 that comes with the first read.
ALERT = re.compile(
    r"alert.(?:bad.certificate|unsupported.certificate|certificate.(?:revoked|expired|unknown|required)"
    r"|unknown.ca|access.denied|handshake.failure)|certificate.required",
    re.IGNORECASE,
)

RENEW = "Make a new one: tessera certs csr, then tessera certs import."
TOPIC = "Certificate or key must fit the pass type and team of the programme: compare them with tessera certs status."
KEY = "The .p8 file, TESSERA_APNS_KEY_ID and the team must belong together, and the key must allow production."
MENDS = {
    "BadCertificate": f"It must be the pass certificate that Apple issued for this pass type. {RENEW}",
    "BadCertificateEnvironment": "Passes are pushed through the production address alone: look at TESSERA_APNS_URL.",
    "BadEnvironmentKeyIdInToken": KEY,
    "BadTopic": TOPIC,
    "CertificateExpired": f"The certificate has expired. {RENEW}",
    "CertificateRefused": f"It must be the pass certificate that Apple issued for this pass type. {RENEW}",
    "CertificateRevoked": f"The certificate was revoked at Apple. {RENEW}",
    "DeviceTokenNotForTopic": TOPIC,
    "Forbidden": f"{KEY} With a certificate: {RENEW}",
    "InvalidProviderToken": KEY,
    "MissingProviderToken": "No certificate was shown, and no key: set TESSERA_APNS_KEY_FILE, or import a certificate.",
    "MissingTopic": TOPIC,
    "ServerNotTrusted": "Set TESSERA_APNS_CA_FILE for a proxy of your own; else see who intercepts the connection.",
    "TopicDisallowed": TOPIC,
    "UnrelatedKeyIdInToken": KEY,
}


def mend(reason: str) -> str:
    """What an operator does about a refusal of the credential or the topic."""
    return MENDS.get(reason, "Apple's status page may know more.")


def answered(status: int, content_type: str, body: bytes, url: str) -> Woken:
    """What an answer means that is no plain success. APNs says 200 without a body, and else always gives a reason."""
    told = answer(status, body)
    if status != 200 and told.reason:
        return Woken(answer=told)
    kind = content_type or "no content type"
    detail = f"{url} answered {status} with {len(body)} bytes ({kind}), not as APNs does; is there a proxy between?"
    return failure(Failure.NOT_APNS, detail)


def failure(what: Failure, detail: str) -> Woken:
    """A push that got no answer, and why in words."""
    return Woken(answer=failed(what), detail=detail)


def fault(problem: Exception, url: str) -> Woken:
    """What it means that a connection could not be made, or was lost."""
    what = _failure(problem)
    if what is Failure.SERVER_NOT_TRUSTED:
        return failure(what, f"the certificate of {url} is not trusted ({problem})")
    if what is Failure.NOT_APNS:
        return failure(what, f"{url} does not speak HTTP/2 as APNs does ({problem}); is there a proxy between?")
    return failure(what, str(problem) or type(problem).__name__)


def after(told: PushAnswer, wait_s: int) -> PushAnswer:
    """The same answer, with a wait before the next try."""
    return replace(told, retry_after_s=wait_s)


def _failure(problem: Exception) -> Failure:
    if isinstance(problem, ssl.SSLCertVerificationError | BadTrust):
        return Failure.SERVER_NOT_TRUSTED
    if isinstance(problem, BadCredential):
        return Failure.CERTIFICATE_REFUSED
    text = str(problem)
    if isinstance(problem, ProtocolFault) or (isinstance(problem, ssl.SSLError) and NO_TLS.search(text)):
        return Failure.NOT_APNS
    if isinstance(problem, ssl.SSLError) and ALERT.search(text):
        return _credential_failure(text.lower().replace("_", " "))
    return Failure.TIMEOUT if isinstance(problem, TimeoutError) else Failure.CONNECTION_LOST


def _credential_failure(text: str) -> Failure:
    if "certificate expired" in text:
        return Failure.CERTIFICATE_EXPIRED
    return Failure.CERTIFICATE_REVOKED if "certificate revoked" in text else Failure.CERTIFICATE_REFUSED
