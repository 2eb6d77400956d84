"""A store in which somebody decided, with a key that signs."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from assay.record import ledger
from assay.record.audit.keys import new_key
from assay.record.identity import Actor
from assay.record.sqlstore import SqlStore

Git = Callable[..., str]


@pytest.fixture
def decided(store: SqlStore) -> SqlStore:
    """Five decisions of ann's."""
    store.actor = Actor("ann")
    for number in range(1, 6):
        ledger.decide(store, "promote", f"m{number}", {"reason": f"because {number}"})
    return store


@pytest.fixture
def key(decided: SqlStore, tmp_path: Path) -> str:
    """The file of ann's key, which is entry 6."""
    path = tmp_path / "ann.pem"
    new_key(decided, file=str(path))
    return str(path)


@pytest.fixture
def git(tmp_path: Path) -> Git:
    """A git repository at `tmp_path / "anchors"`, and a function that runs git in it."""
    folder = tmp_path / "anchors"
    folder.mkdir()

    def run(*arguments: str) -> str:
        own = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
        return subprocess.run(
            ["git", "-C", str(folder), *arguments], check=True, capture_output=True, text=True, env=own
        ).stdout

    run("init", "--quiet", "--initial-branch=main")
    run("config", "user.name", "Ann")
    run("config", "user.email", "ann@example.org")
    return run


@pytest.fixture
def rewrite(meddle: Callable[[SqlStore, str], None]) -> Callable[[SqlStore, int], None]:
    """Rewrite the chain from an entry on so that it holds again, as its owner can."""

    def run(store: SqlStore, first: int) -> None:
        rows = store.query("ledger", order_by=["seq"])
        for verb in ("update", "delete", "REPLACE"):
            meddle(store, f"DROP TRIGGER IF EXISTS ledger_no_{verb}")
        previous = rows[first - 2]["hash"] if first > 1 else ledger.GENESIS
        for row in rows[first - 1 :]:
            body = row["body"].replace("because", "of course") if row["seq"] == first else row["body"]
            chained = ledger._chained(previous, row["seq"], row["kind"], body)
            quoted = body.replace("'", "''")
            meddle(
                store,
                f"UPDATE ledger SET prev_hash = '{previous}', hash = '{chained}', body = '{quoted}' "
                f"WHERE seq = {row['seq']}",
            )
            previous = chained
        meddle(store, f"UPDATE ledger_head SET hash = '{previous}'")

    return run
