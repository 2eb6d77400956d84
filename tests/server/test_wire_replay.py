"""MLflow 3.17.2's own answers to some two hundred requests, recorded from its server, beside ours.

`mlflow_answers.jsonl` holds one request a line, in order: what was sent, status and body. `<id1>` stands for an id that
the server chose, "x*6001" for a long text, `{"more": 100}` for so many items like the one before. Where ours differs on
purpose, the line holds ours and says why. The server runs with `--mlflow-parity`.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from tests.server.conftest import API, Answer, RunningServer, start_server

# A line without an answer is a file: test_artifact_face.py
LINES = [json.loads(line) for line in (Path(__file__).parent / "mlflow_answers.jsonl").read_text().splitlines()]
ID = re.compile(r"<id\d+>")
EARLIEST_MS = 1_000_000_000_000  # what is later is a time of the recording
UNORDERED = ("tags", "params", "metrics", "aliases", "latest_versions")
INVENTED = re.compile(r"[a-z]+-[a-z]+-\d+")  # a name that the server made up


class Replay:
    """Sends the lines and remembers which id stands for which."""

    def __init__(self, server: RunningServer) -> None:
        self.server = server
        self.ids: dict[str, str] = {}
        self.answers = {line["n"]: self.send(line) for line in LINES}

    def send(self, line: dict[str, Any]) -> Answer:
        method, _, path = line["call"].partition(" ")
        path, _, query = self.filled(path).partition("?")
        path = path if path.startswith("/") else f"{API}/{path}"
        address = f"{path}?{quote(query, safe='=&/%' if '%' in path else '=&/')}" if query else path
        if "raw" in line:
            return self.server.call(method, address, line["raw"].encode(), headers={"Content-Type": line["type"]})
        answer = self.server.call(method, address, self.filled(line["body"]) if "body" in line else None)
        if answer.status == line["status"] and "answer" in line:
            self.learn(line["answer"], answer.json)
        return answer

    def learn(self, expected: Any, found: Any) -> None:
        """Ids that stand where the recording has others."""
        if isinstance(expected, dict) and isinstance(found, dict):
            for key in expected.keys() & found.keys():
                self.learn(expected[key], found[key])
        elif isinstance(expected, list) and isinstance(found, list):
            for one, other in zip(expected, found, strict=False):
                self.learn(one, other)
        elif isinstance(expected, str) and isinstance(found, str):
            match = re.fullmatch(r"(m-)?(<id\d+>)", expected)
            if match:
                self.ids.setdefault(match[2], found.removeprefix(match[1] or ""))

    def filled(self, value: Any) -> Any:
        """With our ids, long texts and long lists in place of their signs."""
        if isinstance(value, dict):
            return {key: self.filled(inside) for key, inside in value.items()}
        if isinstance(value, list):
            if value and isinstance(value[-1], dict) and value[-1].keys() == {"more"}:
                name = value[0]["key"].rstrip("0")
                value = [value[0], *({**value[0], "key": f"{name}{n + 1}"} for n in range(value[-1]["more"]))]
            return [self.filled(inside) for inside in value]
        if isinstance(value, str):
            long = re.fullmatch(r"(.)\*(\d+)", value)
            text = long[1] * int(long[2]) if long else value
            return ID.sub(lambda match: self.ids.get(match[0], match[0]), text)
        return value


@pytest.fixture(scope="module")
def replay(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Replay]:
    server = start_server(str(tmp_path_factory.mktemp("replay") / "store"), "--mlflow-parity")
    yield Replay(server)
    server.stop()


def _comparable(value: Any, name: str = "") -> Any:
    """Without times and invented names; lists of named things in order of their names."""
    if isinstance(value, dict):
        return {key: _comparable(inside, key) for key, inside in value.items()}
    if isinstance(value, list):
        inside = [_comparable(item) for item in value]
        return sorted(inside, key=lambda item: json.dumps(item, sort_keys=True)) if name in UNORDERED else inside
    if isinstance(value, bool):
        return value
    if isinstance(value, int) and (value >= EARLIEST_MS or name in ("creation_time", "last_update_time")):
        return "a time"
    if name == "next_page_token":
        return "a token"
    if name in ("run_name", "value") and isinstance(value, str) and INVENTED.fullmatch(value):
        return "an invented name"
    if name == "message":
        return re.sub(r"'?\{.*\}'?", "{...}", value)  # sets have no order
    return value


@pytest.mark.parametrize("line", LINES, ids=lambda line: f"{line['n']:03} {line['call'][:60]}")
def test_an_answer_is_that_of_mlflow(replay: Replay, line: dict[str, Any]) -> None:
    answer = replay.answers[line["n"]]
    assert answer.status == line["status"], answer.content
    assert answer.headers["content-type"] == "application/json"
    found = answer.json
    if "runs" in line:
        assert len(found.get("runs", [])) == line["runs"]
        return
    expected = replay.filled(line["answer"])
    if "error_code" in expected and "message" in expected:  # we may add what was expected, and a hint
        found["message"] = found["message"][: len(expected["message"])]
    if "error_code" in expected and "message" not in expected:
        assert found["error_code"] == expected["error_code"]
        return
    assert _comparable(found) == _comparable(expected)
