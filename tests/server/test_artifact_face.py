import http.client
import os
import threading
import urllib.parse
from pathlib import Path

import pytest
from tests.server.conftest import RunningServer

FILES = "/api/2.0/mlflow-artifacts/artifacts"


def _put(server: RunningServer, path: str, content: bytes) -> None:
    answer = server.call("PUT", f"{FILES}/{path}", content, headers={"Content-Type": "text/plain"})
    assert (answer.status, answer.json) == (200, {})


def _names(server: RunningServer, path: str) -> list[str]:
    answer = server.call("GET", f"{FILES}?path={urllib.parse.quote(path)}")
    assert answer.status == 200
    return [entry["path"] for entry in answer.json.get("files", [])]


def test_a_file_comes_back_as_it_was_put(sqlite_server: RunningServer) -> None:
    _put(sqlite_server, "1/one/artifacts/a.txt", b"hello")
    answer = sqlite_server.call("GET", f"{FILES}/1/one/artifacts/a.txt")
    assert answer.content == b"hello"
    assert answer.headers["content-type"] == "text/plain"
    assert answer.headers["content-disposition"] == "attachment; filename=a.txt"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-length"] == "5"
    part = sqlite_server.call("GET", f"{FILES}/1/one/artifacts/a.txt", headers={"Range": "bytes=1-2"})
    assert (part.status, part.content, part.headers["content-range"]) == (206, b"el", "bytes 1-2/5")
    same = sqlite_server.call(
        "GET", f"{FILES}/1/one/artifacts/a.txt", headers={"If-None-Match": answer.headers["etag"]}
    )
    assert same.status == 304


def test_names_in_any_language_are_kept(sqlite_server: RunningServer) -> None:
    name = "größe 1+2 (neu).txt"
    _put(sqlite_server, f"1/names/artifacts/{urllib.parse.quote(name)}", b"x")
    assert _names(sqlite_server, "1/names/artifacts") == [name]
    answer = sqlite_server.call("GET", f"{FILES}/1/names/artifacts/{urllib.parse.quote(name)}")
    assert answer.headers["content-disposition"] == f"attachment; filename*=UTF-8''{urllib.parse.quote(name, safe='')}"


def test_a_path_that_leads_outside_is_refused(sqlite_server: RunningServer) -> None:
    for path in ("..%2f..%2fetc", "%252e%252e%252fetc", "1/a%5cb", "1/a%00b", "1/a%23b", "1//b", "%2fetc/passwd", ""):
        for method in ("GET", "PUT", "DELETE"):
            answer = sqlite_server.call(method, f"{FILES}/{path}", b"x" if method == "PUT" else None)
            assert (answer.status, answer.json["error_code"]) == (400, "INVALID_PARAMETER_VALUE"), (method, path)
    for path in ("../../etc", "/etc", "a/../../b", "%2e%2e/x"):
        assert sqlite_server.call("GET", f"{FILES}?path={urllib.parse.quote(path)}").status == 400


def test_a_folder_is_listed_and_deleted_with_what_is_in_it(sqlite_server: RunningServer) -> None:
    for path in ("a", "sub/b", "sub/deep/c", "empty"):
        _put(sqlite_server, f"1/tree/artifacts/{path}", b"" if path == "empty" else b"1")
    files = sqlite_server.call("GET", f"{FILES}?path=1/tree/artifacts").json["files"]
    assert files == [
        {"path": "a", "is_dir": False, "file_size": 1},
        {"path": "empty", "is_dir": False},
        {"path": "sub", "is_dir": True},
    ]
    folder = sqlite_server.call("GET", f"{FILES}/1/tree/artifacts/sub")
    assert folder.json["message"] == "Artifact path refers to a directory, not a file: '1/tree/artifacts/sub'"
    assert sqlite_server.call("DELETE", f"{FILES}/1/tree/artifacts/sub").json == {}
    assert _names(sqlite_server, "1/tree/artifacts") == ["a", "empty"]
    assert sqlite_server.call("DELETE", f"{FILES}/1/tree/artifacts/sub").status == 404
    assert _names(sqlite_server, "1/tree/artifacts/a") == []
    assert _names(sqlite_server, "1/none") == []


def test_an_upload_that_is_torn_leaves_the_old_file(sqlite_server: RunningServer) -> None:
    _put(sqlite_server, "1/torn/artifacts/f", b"old")
    host = sqlite_server.url.removeprefix("http://")
    connection = http.client.HTTPConnection(host)
    connection.putrequest("PUT", f"{FILES}/1/torn/artifacts/f")
    connection.putheader("Content-Length", "1000000")
    connection.endheaders()
    connection.send(b"new" * 1000)
    connection.close()
    assert sqlite_server.call("GET", f"{FILES}/1/torn/artifacts/f").content == b"old"
    assert not list((Path(sqlite_server.store) / "blobs").glob(".new-*"))


def test_a_link_downloads_a_file_of_a_run(sqlite_server: RunningServer) -> None:
    run = sqlite_server.post("runs/create", {"experiment_id": "0"})["run"]["info"]
    _put(sqlite_server, f"0/{run['run_id']}/artifacts/plots/p.svg", b"<svg/>")
    answer = sqlite_server.call("GET", f"/get-artifact?run_id={run['run_id']}&path=plots/p.svg")
    assert (answer.content, answer.headers["content-type"]) == (b"<svg/>", "image/svg+xml")
    assert sqlite_server.call("GET", f"/get-artifact?run_id={run['run_id']}&path=none").status == 404
    assert sqlite_server.call("GET", "/get-artifact?path=x").status == 400
    assert sqlite_server.call("GET", f"/get-artifact?run_id={run['run_id']}&path=../x").status == 400
    listed = sqlite_server.get(f"artifacts/list?run_id={run['run_id']}&path=plots")
    assert listed["files"] == [{"path": "plots/p.svg", "is_dir": False, "file_size": 6}]
    assert listed["root_uri"] == run["artifact_uri"]


def test_a_link_downloads_a_file_of_a_version_as_it_was_sealed(sqlite_server: RunningServer) -> None:
    run = sqlite_server.post("runs/create", {"experiment_id": "0"})["run"]["info"]
    path = f"0/{run['run_id']}/artifacts/m/weights.txt"
    _put(sqlite_server, path, b"sealed")
    sqlite_server.post("registered-models/create", {"name": "linked"})
    source = f"runs:/{run['run_id']}/m"
    sqlite_server.post("model-versions/create", {"name": "linked", "source": source, "run_id": run["run_id"]})
    _put(sqlite_server, path, b"changed")
    link = "/model-versions/get-artifact?name=linked&version=1&path="
    assert sqlite_server.call("GET", f"{link}weights.txt").content == b"sealed"
    assert sqlite_server.call("GET", f"{link}none").status == 404
    assert sqlite_server.call("GET", "/model-versions/get-artifact?name=linked&version=9&path=x").status == 404
    assert sqlite_server.call("GET", "/model-versions/get-artifact?version=1&path=x").status == 400


def test_a_link_downloads_a_file_of_a_logged_model(sqlite_server: RunningServer) -> None:
    model = sqlite_server.post("logged-models", {"experiment_id": "0", "name": "linked"})["model"]["info"]["model_id"]
    _put(sqlite_server, f"0/models/{model}/artifacts/MLmodel", b"flavors: {}")
    link = f"/ajax-api/2.0/mlflow/logged-models/{model}/artifacts/files?artifact_file_path="
    answer = sqlite_server.call("GET", f"{link}MLmodel")
    assert (answer.content, answer.headers["content-type"]) == (b"flavors: {}", "text/plain")
    assert sqlite_server.call("GET", f"{link}none").status == 404
    assert sqlite_server.call("GET", f"{link}../MLmodel").status == 400


def _memory_mb(server: RunningServer) -> float:
    for line in Path(f"/proc/{server.process.pid}/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) / 1024
    raise AssertionError("no peak of memory")


@pytest.mark.slow
def test_memory_does_not_grow_with_a_file(sqlite_server: RunningServer, tmp_path: Path) -> None:
    size = 400_000_000
    source = tmp_path / "large"
    with source.open("wb") as file:
        for _ in range(size // 1_000_000):
            file.write(os.urandom(1_000_000))
    before = _memory_mb(sqlite_server)
    connection = http.client.HTTPConnection(sqlite_server.url.removeprefix("http://"), timeout=120)
    with source.open("rb") as file:
        connection.request("PUT", f"{FILES}/1/large/artifacts/f", file, {"Content-Length": str(size)})
    assert connection.getresponse().read() == b"{}"
    connection.request("GET", f"{FILES}/1/large/artifacts/f")
    answer = connection.getresponse()
    with source.open("rb") as file:
        while piece := answer.read(1_000_000):
            assert piece == file.read(len(piece))
        assert not file.read(1)
    connection.close()
    assert _memory_mb(sqlite_server) - before < 60


def test_many_files_at_once(sqlite_server: RunningServer) -> None:
    def put(number: int) -> None:
        for step in range(10):
            _put(sqlite_server, f"1/many/artifacts/{number}/{step}", f"{number} {step}".encode() * 1000)

    threads = [threading.Thread(target=put, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert _names(sqlite_server, "1/many/artifacts") == [str(number) for number in range(8)]
    answer = sqlite_server.call("GET", f"{FILES}/1/many/artifacts/7/9")
    assert answer.content == b"7 9" * 1000
