"""Channels for people, against real receivers on this machine."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from datetime import timedelta
from email import message_from_bytes, policy
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from assay.cli.main import run
from assay.errors import InvalidInput
from assay.record import open_store
from assay.record.alerts.alert import open_alert
from assay.record.contract import in_threads
from assay.record.models.registered_models import create_registered_model
from assay.record.notify.addresses import LOCAL
from assay.record.notify.channels import FORMS
from assay.record.notify.delivery import deliver_due, try_channel
from assay.record.notify.mail import PASSWORD, mail_target
from assay.record.notify.sending import Answer
from assay.record.notify.telling import EVENTS, OPERATION_EVENTS, REGISTRY_EVENTS, tell
from assay.record.notify.webhooks import add_webhook, remove_webhook, update_webhook, webhooks
from assay.record.sqlstore import SqlStore

ADDRESS = "https://93.184.215.14/services/T0/B0/secret"  # a literal needs no look-up
HOUR = timedelta(hours=1)


class Receiver:
    def __init__(self, *statuses: int) -> None:
        self.statuses = list(statuses)
        self.got: list[Any] = []

    def __call__(self, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        self.got.append(json.loads(body))
        return Answer(self.statuses.pop(0) if self.statuses else 200, "")


class _Handler(BaseHTTPRequestHandler):
    got: list[Any]

    def do_POST(self) -> None:
        self.got.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None: ...


@pytest.fixture
def web(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    _Handler.got = []
    server = HTTPServer(("127.0.0.1", 0), _Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    monkeypatch.setenv(LOCAL, "1")
    yield f"http://127.0.0.1:{server.server_port}/hook"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def mail() -> Iterator[tuple[str, list[Any]]]:
    from aiosmtpd.controller import Controller

    class Box:
        got: list[Any]

        async def handle_DATA(self, server: object, session: object, envelope: Any) -> str:
            self.got.append(envelope)
            return "250 kept"

    Box.got = []
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    controller = Controller(Box(), hostname="127.0.0.1", port=port)
    controller.start()
    yield f"smtp://127.0.0.1:{port}?from=assay@example.org&to=ann@example.org,bob@example.org", Box.got
    controller.stop()


def test_slack_and_teams_get_their_forms_over_http(store: SqlStore, web: str) -> None:
    for form in ("slack", "teams"):
        add_webhook(store, form, web, form=form)
    words = "*a* <!channel> moved & grew"
    open_alert(store, "a", words, model="delays", owner="ann", runbook="https://example.org/do")
    assert deliver_due(store).delivered == 2
    slack, teams = sorted(_Handler.got, key=lambda body: "attachments" in body)
    assert slack["text"] == ":warning: alert opened: *a* &lt;!channel&gt; moved &amp; grew"
    assert slack["blocks"][0]["type"] == "header"
    fields = [one["text"] for one in slack["blocks"][1]["fields"]]
    assert {"*model*\ndelays", "*owner*\nann", "*severity*\nwarning"} <= set(fields)
    assert "<https://example.org/do|what to do>" in slack["blocks"][2]["text"]["text"]
    (attachment,) = teams["attachments"]
    assert (teams["type"], attachment["contentType"]) == ("message", "application/vnd.microsoft.card.adaptive")
    card = attachment["content"]
    assert (card["type"], card["body"][0]["color"]) == ("AdaptiveCard", "Warning")
    assert card["body"][0]["text"] == r"alert opened: \*a\* <!channel> moved & grew"
    assert card["actions"] == [{"type": "Action.OpenUrl", "title": "Runbook", "url": "https://example.org/do"}]


def test_an_email_arrives_in_words_and_keeps_its_id_when_sent_again(
    store: SqlStore, mail: tuple[str, list[Any]]
) -> None:
    url, got = mail
    add_webhook(store, "mail", url, form="email")
    open_alert(store, "a", "a moved\r\nBcc: eve@example.org", model="delays", severity="critical")
    assert deliver_due(store).delivered == 2  # the alert and its incident
    first = message_from_bytes(got[0].content, policy=policy.default)
    assert sorted(got[0].rcpt_tos) == ["ann@example.org", "bob@example.org"]
    assert (first["From"], first["Bcc"]) == ("assay@example.org", None)
    assert {str(message_from_bytes(one.content, policy=policy.default)["Subject"]) for one in got} == {
        "[critical] incident opened: a moved Bcc: eve@example.org",
        "[critical] alert opened: a moved Bcc: eve@example.org",
    }
    store.amend_all("delivery", {"state": "delivered"}, {"state": "waiting", "due": "2020"})
    assert deliver_due(store).delivered == 2
    ids = [message_from_bytes(one.content)["Message-ID"] for one in got]
    assert len(set(ids)) == 2


def test_no_password_goes_where_nothing_is_encrypted(
    store: SqlStore, mail: tuple[str, list[Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(PASSWORD, "quiet")
    made = add_webhook(store, "mail", mail[0].replace("smtp://", "smtp://me@"), form="email")
    tried = try_channel(store, made.webhook_id[:8])
    assert "offers no encryption" in str(tried.error)
    assert mail[1] == []


def test_a_file_gets_a_line_for_each_event(store: SqlStore, tmp_path: Path) -> None:
    add_webhook(store, "log", f"file://{tmp_path}/told.jsonl", form="file")
    create_registered_model(store, "delays")
    open_alert(store, "a", "a moved")
    assert deliver_due(store).delivered == 2
    lines = [json.loads(line) for line in (tmp_path / "told.jsonl").read_text().splitlines()]
    assert [line["event"] for line in lines] == ["registered_model.created", "alert.opened"]
    assert lines[1]["data"]["message"] == "a moved"


@pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")  # Apprise imports it
def test_apprise_carries_it_to_what_it_knows(store: SqlStore, web: str) -> None:
    pytest.importorskip("apprise")
    add_webhook(store, "other", web.replace("http://", "json://"), form="apprise")
    open_alert(store, "a", "a moved")
    assert deliver_due(store).delivered == 1
    assert (_Handler.got[0]["title"], _Handler.got[0]["type"]) == ("alert opened: a moved", "warning")
    with pytest.raises(InvalidInput, match="knows no service"):
        add_webhook(store, "bad", "nowhere://x", form="apprise")


def test_only_what_is_bad_enough_is_told(store: SqlStore) -> None:
    add_webhook(store, "chat", ADDRESS, form="slack", least="critical")
    open_alert(store, "a", "a moved")
    tell(store, "retraining.ended", {"model": "delays", "message": "promoted"})
    assert store.query("delivery") == []
    open_alert(store, "a", "a moved much", severity="critical")
    assert len(store.query("delivery")) == 2


def test_several_events_are_one_message_and_critical_ones_do_not_wait(store: SqlStore) -> None:
    add_webhook(store, "chat", ADDRESS, form="slack", digest="1h")
    for key in ("a", "b", "c"):
        open_alert(store, key, f"{key} moved")
    receiver = Receiver()
    now = store.clock.now()
    assert deliver_due(store, now=now, send=receiver).waiting == 3
    open_alert(store, "d", "d is down", severity="critical")
    assert deliver_due(store, send=receiver).delivered == 2
    assert "2 things happened" in receiver.got[0]["text"]
    assert deliver_due(store, now=now + 2 * HOUR, send=receiver).delivered == 3
    assert len(receiver.got) == 2
    assert receiver.got[1]["text"] == ":warning: 3 things happened"
    listed = receiver.got[1]["blocks"][1]["text"]["text"]
    assert [listed.count(f"{key} moved") for key in "abc"] == [1, 1, 1]


def test_a_digest_that_fails_is_tried_again_as_a_whole_with_what_came_since(store: SqlStore) -> None:
    add_webhook(store, "chat", ADDRESS, form="slack", digest="1h")
    open_alert(store, "a", "a moved")
    open_alert(store, "b", "b moved")
    receiver, now = Receiver(500), store.clock.now()
    assert deliver_due(store, now=now + HOUR, send=receiver).failed == 2
    assert deliver_due(store, now=now + HOUR, send=receiver).waiting == 2  # not before its time
    assert deliver_due(store, now=now + 2 * HOUR, send=receiver).delivered == 2
    assert len(receiver.got) == 2


_DIES = """
import sys, time
from assay.record import open_store
from assay.record.alerts.alert import open_alert
from assay.record.notify.delivery import deliver_due
store = open_store(sys.argv[1])
open_alert(store, "a", "a moved")
def send(*_):
    print("sending", flush=True)
    time.sleep(60)
deliver_due(store, send=send)
"""


def test_what_a_killed_process_was_about_to_send_is_sent(store: SqlStore) -> None:
    add_webhook(store, "chat", ADDRESS, form="slack")
    child = subprocess.Popen([sys.executable, "-c", _DIES, store.location], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    with child:
        assert child.stdout.readline() == "sending\n"
        os.kill(child.pid, signal.SIGKILL)
    receiver, now = Receiver(), store.clock.now()
    assert deliver_due(store, now=now, send=receiver).delivered == 0  # it may be on its way still
    assert deliver_due(store, now=now + timedelta(minutes=2), send=receiver).delivered == 1
    assert receiver.got[0]["text"] == ":warning: alert opened: a moved"


@pytest.mark.parametrize("digest", [False, True])
def test_processes_that_deliver_at_once_send_each_event_once(store: SqlStore, tmp_path: Path, digest: bool) -> None:
    form = {"form": "slack", "digest": "1s"} if digest else {"form": "cloudevents"}
    add_webhook(store, "all", ADDRESS, events=",".join(OPERATION_EVENTS), **form)
    for number in range(12):
        open_alert(store, f"a{number}", f"event {number} moved")
    got: list[str] = []
    later = store.clock.now() + timedelta(seconds=10)

    def send(url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        got.append(body.decode())
        return Answer(200, "")

    def one(_: int) -> int:
        other = open_store(store.location)
        try:
            return deliver_due(other, now=later, send=send).delivered
        finally:
            other.close()

    assert sum(in_threads(one, 4)) == 12
    assert len(got) == (1 if digest else 12)
    assert all("".join(got).count(f"event {number} moved") == 1 for number in range(12))


def test_addresses_of_chats_are_not_shown(store: SqlStore) -> None:
    made = add_webhook(store, "chat", ADDRESS, form="slack")
    assert "secret" not in made.url
    assert webhooks(store) == [made]
    assert "secret" not in remove_webhook(store, made.webhook_id).url


@pytest.mark.parametrize(("form", "expected"), [
    ("mlflow", REGISTRY_EVENTS), ("cloudevents", EVENTS), ("slack", OPERATION_EVENTS),
])  # fmt: skip
def test_a_form_is_told_of_what_it_is_for(store: SqlStore, form: str, expected: tuple[str, ...]) -> None:
    assert add_webhook(store, "a", ADDRESS, form=form).events == sorted(expected)


@pytest.mark.parametrize(("change", "message"), [
    ({"form": "pigeon"}, "form 'pigeon'"),
    ({"form": "mlflow", "events": "alert.opened"}, "not known"),
    ({"form": "mlflow", "digest": "1h"}, "no digest is made for mlflow"),
    ({"form": "slack", "digest": "often"}, "the digest is 'often'"),
    ({"form": "slack", "least": "bad"}, "no severity 'bad'"),
    ({"form": "slack", "url": "https://127.0.0.1/x"}, "non-public"),
    ({"form": "email", "url": "smtp://host"}, "no address of a person"),
    ({"form": "email", "url": "smtp://me:secret@host?from=a@b&to=c@d"}, "holds a password"),
    ({"form": "email", "url": "https://host?from=a@b&to=c@d"}, "no address for e-mail"),
    ({"form": "file", "url": "told.jsonl"}, "no file to write to"),
])  # fmt: skip
def test_a_wrong_channel_is_refused_and_none_is_made(store: SqlStore, change: dict[str, str], message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        add_webhook(store, "a", **{"url": ADDRESS, **change})
    assert store.query("webhook") == []


def test_a_channel_is_changed_within_its_form(store: SqlStore) -> None:
    made = add_webhook(store, "a", ADDRESS, form="slack")
    with pytest.raises(InvalidInput, match="non-public"):
        update_webhook(store, made.webhook_id, url="https://10.0.0.1/")
    assert update_webhook(store, made.webhook_id, events=["alert.closed"]).events == ["alert.closed"]


def test_addresses_of_mail_servers_say_all_that_is_needed() -> None:
    found = mail_target("smtps://me%40x@mail.example?from=Assay <a@x>&to=b@x&to=c@x")
    assert (found.port, found.secure, found.user, found.to) == (465, True, "me@x", ("b@x", "c@x"))


def test_an_unknown_event_is_not_told(store: SqlStore) -> None:
    with pytest.raises(InvalidInput, match=r"no event 'alert\.opend'"):
        tell(store, "alert.opend", {})
    assert store.query("outbox") == []


def test_the_command_line_adds_and_tries_a_channel(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    open_store(tmp_path / "store").close()
    place = ["--store", str(tmp_path / "store")]
    arguments = ["log", f"{tmp_path}/told.jsonl", "--form", "file", "--least", "warning"]
    assert run(["notify", "add", *arguments, "--json", *place]) == 0
    made = json.loads(capsys.readouterr().out)
    assert (made["form"] in FORMS, made["least"]) == (True, "warning")
    assert run(["notify", "test", made["webhook_id"][:8], "--event", "alert.opened", *place]) == 0
    assert json.loads((tmp_path / "told.jsonl").read_text())["event"] == "alert.opened"
