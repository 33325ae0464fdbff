"""What the end of a request means: an answer of APNs, or a fault on the way, each by its name and in words."""

import re
from dataclasses import replace

import pycurl

from app.wallets.apple.batches import Woken
from passes.apple.push import Failure, PushAnswer, answer, failed

HTTP2_STREAM_ERROR = 92  # CURLE_HTTP2_STREAM, which pycurl does not name
BY_NUMBER = {
    pycurl.E_GOT_NOTHING: Failure.NOT_APNS,
    pycurl.E_HTTP2: Failure.NOT_APNS,
    pycurl.E_OPERATION_TIMEDOUT: Failure.TIMEOUT,
    pycurl.E_PEER_FAILED_VERIFICATION: Failure.SERVER_NOT_TRUSTED,
    pycurl.E_SSL_CACERT_BADFILE: Failure.SERVER_NOT_TRUSTED,
    pycurl.E_WRITE_ERROR: Failure.NOT_APNS,  # more than any answer of APNs
}

NOT_APNS = re.compile(
    "expected SETTINGS frame|wrong version number|http request|packet length too long|record layer failure",
    re.IGNORECASE,
)
# What OpenSSL says when APNs ends a handshake because of our certificate; with TLS 1.3 that comes with the first read.
ALERT = re.compile(
    r"alert (?:bad certificate|unsupported certificate|certificate (?:revoked|expired|unknown|required)"
    r"|unknown ca|access denied|handshake failure)|certificate required",
    re.IGNORECASE,
)
# What was left undone by GOAWAY or refused as a stream, libcurl has tried on five new connections when it says this.
UNPROCESSED = "Connection died, tried"
# libcurl reports the alert "certificate expired", which is about ours, like a fault of the server's certificate.
EXPIRED_ALERT = "SSL certificate verification failed"

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


def answered(curl: pycurl.Curl, body: bytes, url: str) -> Woken:
    """What an answer means that is no plain success. APNs says 200 without a body, and else always gives a reason."""
    status = curl.getinfo(pycurl.RESPONSE_CODE)
    told = answer(status, body)
    if status != 200 and told.reason:
        return Woken(answer=told)
    kind = curl.getinfo(pycurl.CONTENT_TYPE) or "no content type"
    detail = f"{url} answered {status} with {len(body)} bytes ({kind}), not as APNs does; is there a proxy between?"
    return Woken(answer=failed(Failure.NOT_APNS), detail=detail)


def faulty(number: int, text: str, url: str) -> Woken:
    """What a fault of libcurl means."""
    failure = _failure(number, text)
    detail = text
    if failure is Failure.SERVER_NOT_TRUSTED:
        detail = f"the certificate of {url} is not trusted ({text})"
    if failure is Failure.NOT_APNS:
        detail = f"{url} does not speak HTTP/2 as APNs does ({text}); is there a proxy between?"
    return Woken(answer=failed(failure), detail=detail)


def after(told: PushAnswer, wait_s: int) -> PushAnswer:
    """The same answer, with a wait before the next try."""
    return replace(told, retry_after_s=wait_s)


def _failure(number: int, text: str) -> Failure:
    if number == pycurl.E_SSL_CERTPROBLEM or text == EXPIRED_ALERT or ALERT.search(text):
        return _credential_failure(text)
    if NOT_APNS.search(text):  # told at the deadline as well
        return Failure.NOT_APNS
    if UNPROCESSED in text:
        return Failure.GOAWAY_UNPROCESSED
    if number == HTTP2_STREAM_ERROR and "REFUSED" in text:
        return Failure.REFUSED_STREAM
    return BY_NUMBER.get(number, Failure.CONNECTION_LOST)


def _credential_failure(text: str) -> Failure:
    if text == EXPIRED_ALERT or "certificate expired" in text:
        return Failure.CERTIFICATE_EXPIRED
    return Failure.CERTIFICATE_REVOKED if "certificate revoked" in text else Failure.CERTIFICATE_REFUSED
