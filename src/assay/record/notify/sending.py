"""What is sent to a webhook: the event in MLflow's form or as a CloudEvent, signed, over one connection."""

import base64
import hashlib
import hmac
import http.client
import json
import socket
import ssl
from collections.abc import Callable, Mapping

import msgspec

from assay.record.clock import moment
from assay.record.notify.addresses import Target, checked_target

__all__ = ["FORMS", "Answer", "Send", "message", "send", "sign"]

FORMS = ("mlflow", "cloudevents")
_TIMEOUT_S = 10
_MOST_READ = 2_048


class Answer(msgspec.Struct, frozen=True):
    """What a receiver answered."""

    status: int
    text: str


Send = Callable[[str, Mapping[str, str], bytes], Answer]


def message(
    form: str,
    event: str,
    data: Mapping[str, object],
    *,
    event_id: str,
    ts: str,
    delivery_id: str,
    now_s: int,
    secret: str | None,
) -> tuple[dict[str, str], bytes]:
    """Headers and body. `ts` is when it happened, `now_s` seconds since 1970 when it is sent.

    The same delivery has the same `delivery_id` however often it is tried: a receiver drops what it has seen.
    """
    entity, _, action = event.partition(".")
    if form == "cloudevents":
        kind = "application/cloudevents+json"
        content: dict[str, object] = {"specversion": "1.0", "id": event_id, "source": "urn:assay:registry"}
        content |= {"type": f"assay.{event}", "time": ts, "datacontenttype": "application/json", "data": data}
    else:
        kind = "application/json"
        content = {"entity": entity, "action": action, "timestamp": moment(ts).isoformat(), "data": data}
    body = json.dumps(content)
    headers = {"Content-Type": kind, "X-MLflow-Delivery-Id": delivery_id, "X-MLflow-Timestamp": str(now_s)}
    if secret:
        headers["X-MLflow-Signature"] = sign(secret, delivery_id, now_s, body)
    return headers, body.encode()


def sign(secret: str, delivery_id: str, now_s: int, body: str) -> str:
    """The signature: `v1,` and the base64 of HMAC-SHA256 over `delivery_id.timestamp.body`."""
    signed = hmac.new(secret.encode(), f"{delivery_id}.{now_s}.{body}".encode(), hashlib.sha256).digest()
    return f"v1,{base64.b64encode(signed).decode()}"


def send(url: str, headers: Mapping[str, str], body: bytes) -> Answer:
    """Post it; no redirect is followed and no proxy asked. OSError where there is no answer, InvalidInput for an
    address that is not allowed (any more).
    """
    target = checked_target(url)
    connection = _Connection(target)
    try:
        connection.request("POST", target.path, body, {**headers, "User-Agent": "assay"})
        response = connection.getresponse()
        return Answer(response.status, response.read1(_MOST_READ).decode(errors="replace"))
    except http.client.HTTPException as error:
        raise OSError(f"no answer in HTTP ({type(error).__name__})") from error
    finally:
        connection.close()


class _Connection(http.client.HTTPConnection):
    """Connects to the address that was checked, not to what the name means a moment later."""

    def __init__(self, target: Target) -> None:
        super().__init__(target.host, target.port, timeout=_TIMEOUT_S)
        self._target = target

    def connect(self) -> None:
        """Open the connection; the certificate must be that of the host's name."""
        opened = socket.create_connection((self._target.address, self._target.port), _TIMEOUT_S)
        if self._target.scheme == "https":
            try:
                opened = ssl.create_default_context().wrap_socket(opened, server_hostname=self._target.host)
            except BaseException:
                opened.close()
                raise
        self.sock = opened
