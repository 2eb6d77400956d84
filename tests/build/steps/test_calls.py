"""Keys: the same wherever the same code meets the same content."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from tests.build.steps.projects import Project

from assay.build.steps.calls import defined, key_of
from assay.build.steps.step_options import checked_options
from assay.record import open_store

FLOW = """
from pathlib import Path
import assay
RATE = 2
def helper(x): return x * RATE
@assay.step
def read(path: Path): return helper(len(path.read_text()))
@assay.pipeline
def nightly(path: Path): return read(path)
if __name__ == "__main__":
    import sys
    Path(sys.argv[1]).write_text("abc")
    nightly.options(store=sys.argv[2])(Path(sys.argv[1]))
"""


@pytest.mark.parametrize("place", ["here", "elsewhere/deep"])
def test_run_or_imported_from_any_folder_the_same_code_has_the_same_keys(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    folder = tmp_path / place
    folder.mkdir(parents=True)
    project = Project(folder, monkeypatch)
    project.write({"flow.py": FLOW})
    store = tmp_path / "store"
    data = tmp_path / f"{len(place)}.csv"
    imported = f"import flow; flow.nightly.options(store={str(store)!r})(flow.Path({str(data)!r}))"
    for where, command in ((tmp_path, [str(folder / "flow.py"), str(data), str(store)]), (folder, ["-c", imported])):
        done = subprocess.run([sys.executable, *command], cwd=where, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    opened = open_store(store)
    rows = opened.query("step", order_by=["started"])
    assert [row["state"] for row in rows] == ["done", "cached"]
    known = rows[0]["key"]
    read = project.function("flow", "read")
    inner = read.__wrapped__  # type: ignore[attr-defined] # a step has one
    options = checked_options(
        retries=0, retry_on=(Exception,), backoff=1.0, timeout=None, cache=True, version=None, code="function"
    )
    found = key_of(defined(inner, options), {"path": data})
    assert found.key == known
    assert json.loads(found.components)["step"] == "flow.read"
    project.forget()
    opened.close()
    assert KEYS.setdefault("flow", known) == known, "in another folder, too"


KEYS: dict[str, str] = {}
