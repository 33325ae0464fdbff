"""What the end of a request means: an answer of APNs, or a fault on the way, each by its name and in words."""

import re
from dataclasses import replace

import pycurl

from app.wallets.apple.batches import Woken
from passes.apple.push import Failure, PushAnswer, answer, failed

HTTP2_STREAM_ERROR = 92  # CURLE_HTTP2_STREAM, which pycurl does not name
UNTRUSTED = {pycurl.E_PEER_FAILED_VERIFICATION, pycurl.E_SSL_CACERT_BADFILE}
NO_HTTP2 = {pycurl.E_HTTP2, pycurl.E_WRITE_ERROR, pycurl.E_GOT_NOTHING, HTTP2_STREAM_ERROR}

# What OpenSSL says when APNs ends a handshake because of our certificate; with TLS 1.3 that comes with the first read.
ALERT = re.compile(
    r"alert (?:bad certificate|unsupported certificate|certificate (?:revoked|expired|unknown|required)"
    r"|unknown ca|access denied|handshake failure)|certificate required",
    re.IGNORECASE,
)
# libcurl reports the alert "certificate expired", which is about ours, like a fault of the server's certificate.
# What was left undone by GOAWAY or refused as a stream, libcurl has tried on five new connections when it says this.
UNPROCESSED = "Connection died, tried"
EXPIRED_ALERT = "SSL certificate verification failed"


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
        detail = f"the certificate of {url} is not trusted ({text}); check TESSERA_APNS_CA_FILE"
    if failure is Failure.NOT_APNS:
        detail = f"{url} does not speak HTTP/2 as APNs does ({text}); is there a proxy between?"
    return Woken(answer=failed(failure), detail=detail)


def after(told: PushAnswer, wait_s: int) -> PushAnswer:
    """The same answer, with a wait before the next try."""
    return replace(told, retry_after_s=wait_s)


def _failure(number: int, text: str) -> Failure:
    if number == pycurl.E_SSL_CERTPROBLEM or text == EXPIRED_ALERT or ALERT.search(text):
        return _credential_failure(text)
    if number in UNTRUSTED:
        return Failure.SERVER_NOT_TRUSTED
    if number == pycurl.E_OPERATION_TIMEDOUT:
        return Failure.TIMEOUT
    if number == HTTP2_STREAM_ERROR and "REFUSED" in text:
        return Failure.REFUSED_STREAM
    if UNPROCESSED in text:
        return Failure.GOAWAY_UNPROCESSED
    return Failure.NOT_APNS if number in NO_HTTP2 else Failure.CONNECTION_LOST


def _credential_failure(text: str) -> Failure:
    if text == EXPIRED_ALERT or "certificate expired" in text:
        return Failure.CERTIFICATE_EXPIRED
    return Failure.CERTIFICATE_REVOKED if "certificate revoked" in text else Failure.CERTIFICATE_REFUSED
