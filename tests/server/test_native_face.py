import hashlib
import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from tests.server.conftest import API, RunningServer

from assay.record.live.journal import frame
from assay.record.live.logged import Batch, Begin, encode

V1 = "/api/assay/v1"


def test_operations_are_listed_with_their_arguments(sqlite_server: RunningServer) -> None:
    found = {face["name"]: face for face in sqlite_server.call("GET", f"{V1}/operations").json}
    assert {"runs", "show", "models", "ledger list", "ledger verify", "promote", "rollback"} <= found.keys()
    assert not found.keys() & {"server", "serve", "demo", "report", "evaluate", "data check"}
    assert [p["name"] for p in found["show"]["parameters"]] == ["run", "log"]
    assert found["show"]["parameters"][0]["required"]


def test_an_operation_answers_with_its_result(sqlite_server: RunningServer) -> None:
    sqlite_server.post("experiments/create", {"name": "native"})
    made = sqlite_server.call("GET", f"{API}/experiments/get-by-name?experiment_name=native").json
    experiment_id = made["experiment"]["experiment_id"]
    sqlite_server.post("runs/create", {"experiment_id": experiment_id, "run_name": "first"})
    answer = sqlite_server.call("POST", f"{V1}/operations/runs", {"experiment": "native", "limit": 5})
    assert answer.status == 200
    assert [run["name"] for run in answer.json] == ["first"]
    verified = sqlite_server.call("POST", f"{V1}/operations/ledger%20verify")
    assert verified.json["sound"] is True
    assert sqlite_server.call("POST", f"{V1}/operations/ledger/verify", {}).json["sound"] is True


@pytest.mark.parametrize(
    ("name", "body", "status", "kind", "word"),
    [
        ("runz", {}, 404, "NotFound", "runz"),
        ("server", {}, 404, "NotFound", "server"),
        ("show", {}, 400, "InvalidInput", "lacks 'run'"),
        ("ledger/verify", {"anchors": ["/etc"]}, 400, "InvalidInput", "it names files"),
        ("show", {"run": 7}, 400, "InvalidInput", "Expected `str`"),
        ("show", {"run": "nope"}, 404, "NotFound", "no run"),
        ("runs", {"limits": 1}, 400, "InvalidInput", "limits"),
        ("runs", {"limit": 0}, 400, "InvalidInput", "limit is 0"),
        ("runs", [1], 400, "InvalidInput", "cannot be read"),
    ],
)
def test_a_refusal_says_what_was_wrong(
    sqlite_server: RunningServer, name: str, body: object, status: int, kind: str, word: str
) -> None:
    answer = sqlite_server.call("POST", f"{V1}/operations/{name}", body)
    error = answer.json["error"]
    assert (answer.status, error["kind"]) == (status, kind)
    assert word in error["what"]
    assert not str(error.get("where", "")).startswith("/")


def test_a_blob_comes_back_whole_and_in_parts(sqlite_server: RunningServer) -> None:
    content = os.urandom(3_000_000)
    digest = hashlib.sha256(content).hexdigest()
    stored = sqlite_server.call("PUT", f"{V1}/blobs/{digest}", content)
    assert stored.json == {"digest": digest, "size": len(content)}
    whole = sqlite_server.call("GET", f"{V1}/blobs/{digest}")
    assert whole.content == content
    assert whole.headers["etag"] == f'"{digest}"'
    for asked, expected in (("5-9", content[5:10]), ("-4", content[-4:]), ("2999990-", content[2_999_990:])):
        part = sqlite_server.call("GET", f"{V1}/blobs/{digest}", headers={"Range": f"bytes={asked}"})
        assert (part.status, part.content) == (206, expected)
    beyond = sqlite_server.call("GET", f"{V1}/blobs/{digest}", headers={"Range": "bytes=3000000-"})
    assert (beyond.status, beyond.headers["content-range"]) == (416, "bytes */3000000")
    same = sqlite_server.call("GET", f"{V1}/blobs/{digest}", headers={"If-None-Match": f'"{digest}"'})
    assert (same.status, same.content) == (304, b"")


def test_a_blob_under_another_hash_or_none_is_refused(sqlite_server: RunningServer) -> None:
    assert sqlite_server.call("PUT", f"{V1}/blobs/{'0' * 64}", b"other").status == 400
    assert sqlite_server.call("GET", f"{V1}/blobs/{'0' * 64}").status == 404
    assert sqlite_server.call("GET", f"{V1}/blobs/xyz").status == 400
    assert sqlite_server.call("DELETE", f"{V1}/blobs/{'0' * 64}").status == 405


def test_a_damaged_blob_does_not_arrive_as_if_it_were_whole(sqlite_server: RunningServer) -> None:
    content = b"x" * 1_000_000
    digest = hashlib.sha256(content).hexdigest()
    sqlite_server.call("PUT", f"{V1}/blobs/{digest}", content)
    place = Path(sqlite_server.store) / "blobs" / digest[:2] / digest
    place.chmod(0o600)
    place.write_bytes(b"x" * 999_999 + b"y")
    with pytest.raises(Exception, match=r"IncompleteRead|Connection|Remote"):
        sqlite_server.call("GET", f"{V1}/blobs/{digest}")
    assert sqlite_server.call("GET", "/health").status == 200


def test_a_run_of_our_own_client_arrives_over_http(sqlite_server: RunningServer, tmp_path: Path) -> None:
    script = tmp_path / "log.py"
    script.write_text(
        "import sys, assay\n"
        "with assay.run('over-http', params={'lr': 0.1}, store=sys.argv[1]) as run:\n"
        "    for step in range(100):\n"
        "        run.log({'loss': 1 / (step + 1)}, step=step)\n"
        "    print(run.run_id)\n"
    )
    environment = {**os.environ, "ASSAY_SPOOL": str(tmp_path / "spool")}
    command = [sys.executable, str(script), sqlite_server.url]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    run_id = done.stdout.split()[-1]
    run = sqlite_server.get(f"runs/get?run_id={run_id}")["run"]
    assert run["info"]["status"] == "FINISHED"
    assert {"key": "lr", "value": "0.1"} in run["data"]["params"]
    history = sqlite_server.get(f"metrics/get-history?run_id={run_id}&metric_key=loss")["metrics"]
    assert [point["step"] for point in history] == list(range(100))


def test_frames_that_came_already_change_nothing_and_others_are_refused(sqlite_server: RunningServer) -> None:
    run_id = os.urandom(16).hex()
    columns: dict[str, str | int | float | None] = {"kind": "train", "stage": "dev", "trigger_type": "manual"}
    begin = Begin(run_id, "native batches", "r", "2026-01-01T00:00:00.000000Z", "somebody", "human", columns)
    batch = Batch(run_id, 1, [begin])
    frames = frame(encode(batch))
    assert sqlite_server.call("POST", f"{V1}/batches", frames).json == {"added": 1}
    assert sqlite_server.call("POST", f"{V1}/batches", frames).json == {"added": 0}
    assert sqlite_server.get(f"runs/get?run_id={run_id}")["run"]["info"]["run_name"] == "r"
    for damaged in (frames[:-1], b"nonsense" * 10, frame(b"{}"), frame(b"\xff"), frame(msgspec.json.encode([1]))):
        answer = sqlite_server.call("POST", f"{V1}/batches", damaged)
        assert (answer.status, answer.json["error"]["kind"]) == (400, "InvalidInput")
    assert sqlite_server.call("POST", f"{V1}/batches", b"").json == {"added": 0}
