import base64
import hashlib
import hmac
import json
import socket
import threading
from collections.abc import Iterator, Mapping
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from assay.errors import AssayError, InvalidInput, NotFound
from assay.record.models.aliases import clear_alias, set_alias
from assay.record.models.registered_models import create_registered_model, set_registered_model_tags
from assay.record.models.versions import create_version, delete_version_tag, set_version_tags
from assay.record.notify.addresses import LOCAL, checked_target
from assay.record.notify.delivery import deliver, deliver_due, try_webhook
from assay.record.notify.events import PROMPT_TAG
from assay.record.notify.sending import Answer, send, sign
from assay.record.notify.telling import REGISTRY_EVENTS as EVENTS
from assay.record.notify.webhooks import (
    Webhook,
    add_webhook,
    create_webhook,
    delete_webhook,
    remove_webhook,
    update_webhook,
    webhook,
    webhooks,
)
from assay.record.sqlstore import SqlStore

ADDRESS = "https://93.184.215.14/hook?to=us"  # a literal needs no look-up


class _Receiver:
    def __init__(self, *statuses: int) -> None:
        self.statuses = list(statuses)
        self.got: list[tuple[str, Mapping[str, str], bytes]] = []

    def __call__(self, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        self.got.append((url, headers, body))
        status = self.statuses.pop(0) if self.statuses else 200
        if not status:
            raise ConnectionRefusedError("nobody listens")
        return Answer(status, "said")


def _hook(store: SqlStore, *events: str, **more: str) -> Webhook:
    return create_webhook(store, "hook", ADDRESS, events or EVENTS, **more)


def test_every_event_is_kept_with_its_change_and_told_in_the_form_of_mlflow(either_store: SqlStore) -> None:
    store = either_store
    _hook(store, secret="quiet")
    create_registered_model(store, "churn", tags={"a": "b"}, description="who leaves")
    create_version(store, "churn", "s3://bucket/model")
    set_version_tags(store, "churn", 1, {"k": "v"})
    delete_version_tag(store, "churn", 1, "k")
    delete_version_tag(store, "churn", 1, "k")  # was gone
    set_alias(store, "churn", "new", 1)
    clear_alias(store, "churn", "new")
    receiver = _Receiver()
    told = deliver_due(store, send=receiver)
    assert (told.delivered, told.failed, told.waiting) == (6, 0, 0)
    bodies = [json.loads(body) for _, _, body in receiver.got]
    assert [f"{body['entity']}.{body['action']}" for body in bodies] == list(EVENTS[:6])
    assert bodies[0]["data"] == {"name": "churn", "tags": {"a": "b"}, "description": "who leaves"}
    assert bodies[1]["data"]["version"] == "1"
    assert bodies[1]["data"]["source"] == "s3://bucket/model"
    assert bodies[2]["data"] == {"name": "churn", "version": "1", "key": "k", "value": "v"}
    assert bodies[4]["data"] == {"name": "churn", "alias": "new", "version": "1"}
    url, headers, body = receiver.got[0]
    signed = f"{headers['X-MLflow-Delivery-Id']}.{headers['X-MLflow-Timestamp']}.{body.decode()}"
    expected = base64.b64encode(hmac.new(b"quiet", signed.encode(), hashlib.sha256).digest()).decode()
    assert (url, headers["X-MLflow-Signature"]) == (ADDRESS, f"v1,{expected}")
    assert deliver_due(store, send=receiver).delivered == 0


def test_a_change_that_is_undone_tells_nothing(store: SqlStore) -> None:
    _hook(store)

    def make_and_fail() -> None:
        with store.transaction():
            create_registered_model(store, "churn")
            webhook(store, "none")

    with pytest.raises(NotFound):
        make_and_fail()
    assert store.query("outbox") == store.query("delivery") == []


def test_prompts_tell_of_prompts(store: SqlStore) -> None:
    _hook(store)
    create_registered_model(store, "ask", tags={PROMPT_TAG: "true"})
    tags = {PROMPT_TAG: "true", "mlflow.prompt.text": "Hello {{name}}"}
    create_version(store, "ask", "dummy-source", tags=tags)
    set_registered_model_tags(store, "ask", {"k": "v"})
    set_version_tags(store, "ask", 1, {"k": "v"})
    set_alias(store, "ask", "new", 1)
    told = [row["event"] for row in store.query("outbox", order_by=["event_id"])]
    assert sorted(told) == sorted(
        ["prompt.created", "prompt_version.created", "prompt_tag.set", "prompt_version_tag.set", "prompt_alias.created"]
    )
    made = store.query("outbox", {"event": "prompt_version.created"})[0]
    assert json.loads(made["payload"])["template"] == "Hello {{name}}"


def test_a_failed_delivery_waits_longer_each_time_with_the_same_id_and_is_given_up(store: SqlStore) -> None:
    _hook(store, "registered_model.created")
    create_registered_model(store, "churn")
    receiver = _Receiver(*[0, 500] * 8)
    now = store.clock.now() + timedelta(seconds=1)
    assert deliver_due(store, now=now, send=receiver).failed == 1
    assert deliver_due(store, now=now + timedelta(seconds=4), send=receiver).failed == 0
    assert deliver_due(store, now=now + timedelta(seconds=5), send=receiver).failed == 1
    assert deliver_due(store, now=now + timedelta(seconds=14), send=receiver).failed == 0
    for hours in range(1, 14):
        assert deliver_due(store, now=now + timedelta(hours=2 * hours), send=receiver).failed == 1
    last = deliver_due(store, now=now + timedelta(days=3), send=receiver)
    assert (last.dead, last.waiting) == (1, 0)
    assert store.query("delivery")[0]["answer"] == "500 said"
    assert len({headers["X-MLflow-Delivery-Id"] for _, headers, _ in receiver.got}) == 1
    assert len({headers["X-MLflow-Timestamp"] for _, headers, _ in receiver.got}) == 16


def test_what_was_given_up_is_tried_again_when_asked(store: SqlStore, monkeypatch: pytest.MonkeyPatch) -> None:
    _hook(store, "registered_model.created")
    create_registered_model(store, "churn")
    assert deliver_due(store, send=_Receiver(410)).dead == 1
    receiver = _Receiver()
    monkeypatch.setattr(deliver_due, "__kwdefaults__", {**(deliver_due.__kwdefaults__ or {}), "send": receiver})
    assert deliver(store).delivered == 0
    assert deliver(store, again=True).delivered == 1


def test_one_that_fails_does_not_hold_up_the_others(store: SqlStore) -> None:
    first = _hook(store)
    second = create_webhook(store, "other", "https://93.184.215.15/", EVENTS)
    for name in ("a", "b", "c"):
        create_registered_model(store, name)

    def send_to_second(url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        return Answer(200 if url == second.url else 503, "")

    told = deliver_due(store, send=send_to_second)
    assert (told.delivered, told.failed, told.waiting) == (3, 1, 3)
    delete_webhook(store, first.webhook_id)
    assert deliver_due(store, now=store.clock.now() + timedelta(minutes=1), send=send_to_second).dead == 3


def test_a_delivery_is_taken_by_one_process_only(store: SqlStore) -> None:
    _hook(store)
    create_registered_model(store, "churn")
    inner = _Receiver()

    def send_and_look(url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        assert deliver_due(store, send=inner).delivered == 0
        return Answer(200, "")

    assert deliver_due(store, send=send_and_look).delivered == 1
    assert inner.got == []


def test_one_whose_process_died_is_sent_again(store: SqlStore) -> None:
    _hook(store)
    create_registered_model(store, "churn")

    def die(url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        deliver_due(store, send=die)
    assert deliver_due(store, send=_Receiver()).delivered == 0
    assert deliver_due(store, now=store.clock.now() + timedelta(minutes=2), send=_Receiver()).delivered == 1


def test_cloud_events_name_the_event_and_its_id(store: SqlStore) -> None:
    _hook(store, "registered_model.created", form="cloudevents")
    create_registered_model(store, "churn")
    receiver = _Receiver()
    deliver_due(store, send=receiver)
    _, headers, body = receiver.got[0]
    event = json.loads(body)
    assert headers["Content-Type"] == "application/cloudevents+json"
    assert (event["specversion"], event["type"]) == ("1.0", "assay.registered_model.created")
    assert event["id"] == store.query("outbox")[0]["event_id"]
    assert event["data"]["name"] == "churn"


def test_webhooks_are_made_changed_listed_and_forgotten(store: SqlStore, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("quiet\n")
    made = add_webhook(store, "hook", ADDRESS, secret_file=str(tmp_path / "secret"))
    assert (made.signed, made.events, made.status) == (True, sorted(EVENTS), "ACTIVE")
    changed = update_webhook(store, made.webhook_id, events=["prompt.created"], status="DISABLED")
    assert (changed.events, changed.status, changed.url) == (["prompt.created"], "DISABLED", ADDRESS)
    assert webhooks(store) == [changed]
    create_registered_model(store, "ask", tags={PROMPT_TAG: "true"})
    assert store.query("delivery") == []
    assert remove_webhook(store, made.webhook_id[:6]) == changed
    assert webhooks(store) == []
    assert store.query("webhook")[0]["secret"] is None
    with pytest.raises(NotFound):
        webhook(store, made.webhook_id)
    with pytest.raises(NotFound, match="no webhook"):
        remove_webhook(store, made.webhook_id[:6])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": "a b"}, "invalid"),
        ({"name": "x" * 64}, "invalid"),
        ({"events": ["model.eaten"]}, "not known"),
        ({"events": []}, "not known"),
        ({"status": "OFF"}, "status"),
        ({"form": "xml"}, "form"),
        ({"url": "http://93.184.215.14/"}, "scheme"),
        ({"url": "https://"}, "hostname"),
        ({"url": "https://me:secret@93.184.215.14/"}, "user name"),
        ({"url": "https://93.184.215.14:x/"}, "Invalid"),
    ],
)
def test_a_wrong_webhook_is_refused_and_none_is_made(store: SqlStore, change: dict[str, str], message: str) -> None:
    given: dict[str, object] = {"name": "hook", "url": ADDRESS, "events": EVENTS, **change}
    with pytest.raises(InvalidInput, match=message):
        create_webhook(store, **given)  # type: ignore[arg-type]
    assert store.query("webhook") == []


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1", "10.0.0.1", "169.254.169.254", "192.168.1.1", "100.64.0.1", "0.0.0.0", "224.0.0.1", "[::1]",
        "[fe80::1]", "[fd00::1]", "[::ffff:10.0.0.1]", "[64:ff9b::a00:1]", "[2002:a00:1::]", "localhost", "2130706433",
        "0x7f.1",
    ],
)  # fmt: skip
def test_no_webhook_leads_into_this_network(host: str) -> None:
    with pytest.raises(InvalidInput, match=r"non-public|resolve"):
        checked_target(f"https://{host}/")


def test_the_address_is_asked_anew_each_time_and_kept_for_the_connection(
    store: SqlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = [["93.184.215.14"], ["93.184.215.14", "10.0.0.1"]]

    def lookup(host: str, port: int, **_: object) -> list[object]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, port)) for one in answers.pop(0)]

    monkeypatch.setattr(socket, "getaddrinfo", lookup)
    create_webhook(store, "hook", "https://hook.example/", EVENTS)
    create_registered_model(store, "churn")
    assert deliver_due(store, send=send).failed == 1
    assert "non-public" in store.query("delivery")[0]["answer"]


class _Handler(BaseHTTPRequestHandler):
    got: list[bytes]

    def do_POST(self) -> None:
        self.got.append(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(302 if self.path == "/away" else 200)
        self.send_header("Location", "/elsewhere")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None: ...


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    _Handler.got = []
    server = HTTPServer(("127.0.0.1", 0), _Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    monkeypatch.setenv(LOCAL, "1")
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_it_goes_over_http_and_follows_no_redirect(store: SqlStore, receiver: str) -> None:
    create_webhook(store, "here", f"{receiver}/here", ["registered_model.created"])
    away = create_webhook(store, "away", f"{receiver}/away", ["registered_model.created"])
    create_registered_model(store, "churn")
    told = deliver_due(store)
    assert (told.delivered, told.failed) == (1, 1)
    assert len(_Handler.got) == 2
    tested = try_webhook(store, away.webhook_id)
    assert (tested.success, tested.status) == (False, 302)
    with pytest.raises(AssayError, match="not known"):
        try_webhook(store, away.webhook_id, "no.event")


def test_the_test_of_a_webhook_says_why_it_failed(store: SqlStore) -> None:
    made = _hook(store)
    tested = try_webhook(store, made.webhook_id, send=_Receiver(0))
    assert (tested.success, tested.error) == (False, "Failed to test webhook: nobody listens")


def test_the_signature_is_that_of_standard_webhooks() -> None:
    assert (
        sign("s", "id", 1, "{}")
        == "v1," + base64.b64encode(hmac.new(b"s", b"id.1.{}", hashlib.sha256).digest()).decode()
    )
