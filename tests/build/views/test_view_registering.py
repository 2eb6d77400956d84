"""Registering the views of a file, and how versions differ."""

import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from assay.build.views.catalogue.comparing import diff_views
from assay.build.views.catalogue.registering import register_file
from assay.build.views.declared.view import DEFINED
from assay.build.views.registry.registered import find_view, view_versions
from assay.cli.main import run
from assay.errors import InvalidInput, NotFound
from assay.record.sqlstore import SqlStore

FILE = '''
import assay
import pyarrow.compute as pc
from assay.build import Expectations
from assay.build.data.checks import in_range


def scaled(values):
    return pc.multiply(values, 2)


@assay.feature_view(entity="id", source="orders.parquet", time="at", ttl="30d", owner="ana")
def spend(orders):
    """What was spent."""
    return orders.append_column("twice", scaled(orders["amount"]))


assay.feature_view("habits", entity="id", source="orders.parquet", time="at", features={"odd": "items % 2"})
'''


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    folder = tmp_path / "shop"
    folder.mkdir()
    random = np.random.default_rng(1)
    times = np.datetime64("2024-01-01", "us") + random.integers(0, 86_400 * 90, 400).astype("timedelta64[s]")
    table = {"id": random.integers(0, 40, 400), "at": times, "amount": random.normal(size=400)}
    pq.write_table(pa.table({**table, "items": random.integers(0, 9, 400)}), folder / "orders.parquet")
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    text = FILE

    def written(*changes: tuple[str, str]) -> None:
        nonlocal text
        for before, after in changes:
            assert before in text
            text = text.replace(before, after)
        (folder / "market_views.py").write_text(text)
        sys.modules.pop("market_views", None)
        importlib.invalidate_caches()
        DEFINED.clear()

    yield written
    sys.modules.pop("market_views", None)
    if str(folder) in sys.path:
        sys.path.remove(str(folder))
    DEFINED.clear()


def _outcomes(store: SqlStore, **more: Any) -> dict[str, tuple[int | None, str]]:
    return {one.view: (one.version, one.outcome) for one in register_file(store, "market_views.py", **more).views}


def test_every_view_that_a_file_declares_is_registered_also_one_without_a_name_in_it(
    store: SqlStore, write: Callable[..., None]
) -> None:
    write()
    assert _outcomes(store) == {"spend": (1, "new"), "habits": (1, "new")}
    write()
    assert _outcomes(store) == {"spend": (1, "unchanged"), "habits": (1, "unchanged")}
    write(("multiply(values, 2)", "multiply(values, 3)"))
    assert _outcomes(store, only="spend") == {"spend": (2, "changed")}
    with pytest.raises(InvalidInput, match="declares no feature view 'other'"):
        register_file(store, "market_views.py", only="other")


def test_what_changed_is_said_in_words(store: SqlStore, write: Callable[..., None]) -> None:
    write()
    register_file(store, "market_views.py")
    write(
        ("multiply(values, 2)", "multiply(values, 3)"),
        ('ttl="30d", owner="ana"', 'ttl="14d", owner="ben"'),
        ('append_column("twice"', 'append_column("thrice"'),
        ('"items % 2"}', '"items % 2 = 1", "many": "items > 4"}'),
    )
    spend, habits = register_file(store, "market_views.py").views
    assert spend.changes == [
        "ttl 30d -> 14d",
        "owner ana -> ben",
        "feature thrice (double) is new",
        "feature twice (double) is gone",
        "the function itself changed",
        "scaled in market_views changed",
    ]
    assert habits.changes == [
        "feature many (bool) is new",
        "feature odd int64 -> bool",
        "feature odd: items % 2 -> items % 2 = 1",
    ]
    found = diff_views(store, "habits")
    assert (found.before, found.after, found.added, found.removed, found.retyped) == (
        "habits@1", "habits@2", ["many"], [], ["odd"]
    )  # fmt: skip


def test_a_change_of_one_view_makes_no_version_of_another_in_its_file(
    store: SqlStore, write: Callable[..., None]
) -> None:
    write()
    register_file(store, "market_views.py")
    write(('"items % 2"', '"items % 3"'), ('assay.feature_view("habits"', 'habits = assay.feature_view("habits"'))
    assert _outcomes(store) == {"spend": (1, "unchanged"), "habits": (2, "changed")}
    write(("multiply(values, 2)", "multiply(values, 4)"))
    assert _outcomes(store) == {"spend": (2, "changed"), "habits": (2, "unchanged")}


def test_the_version_before_is_compared_with_where_no_other_is_named(
    store: SqlStore, write: Callable[..., None]
) -> None:
    write()
    register_file(store, "market_views.py")
    with pytest.raises(InvalidInput, match="has one version"):
        diff_views(store, "spend")
    for ttl in ("31d", "32d"):
        write((f'ttl="{int(ttl[:2]) - 1}d"', f'ttl="{ttl}"'))
        register_file(store, "market_views.py")
    assert diff_views(store, "spend").changes == ["ttl 31d -> 32d"]
    assert diff_views(store, "spend@1").changes == ["ttl 30d -> 32d"]
    assert diff_views(store, "spend@3", "spend@1").changes == ["ttl 32d -> 30d"]
    assert diff_views(store, "spend@3", "spend").same
    assert "source" not in " ".join(diff_views(store, "spend", "habits").changes)
    with pytest.raises(NotFound, match="did you mean 'spend'"):
        diff_views(store, "spnd")


def test_what_was_registered_last_is_what_a_name_means_also_when_it_was_there_before(
    store: SqlStore, write: Callable[..., None]
) -> None:
    write()
    register_file(store, "market_views.py")
    write(('ttl="30d"', 'ttl="31d"'))
    register_file(store, "market_views.py")
    assert find_view(store, "spend").version == 2
    write(('ttl="31d"', 'ttl="30d"'))
    back = register_file(store, "market_views.py", only="spend").views[0]
    assert (back.version, back.outcome) == (1, "changed")
    assert back.changes == ["it is version 1 again", "ttl 31d -> 30d"]
    assert find_view(store, "spend").version == 1
    assert diff_views(store, "spend").before == "spend@2"
    write(('ttl="30d"', 'ttl="32d"'))
    assert _outcomes(store, only="spend") == {"spend": (3, "changed")}


def test_where_one_view_of_a_file_is_refused_none_is_kept(store: SqlStore, write: Callable[..., None]) -> None:
    write(('"items % 2"', '"itms % 2"'))
    with pytest.raises(InvalidInput, match="itms"):
        register_file(store, "market_views.py")
    write(('"itms % 2"', '"items % 2"'), ('owner="ana"', 'checks=[in_range("amont", low=0)]'))
    with pytest.raises(InvalidInput, match="amont"):
        register_file(store, "market_views.py")
    assert view_versions(store) == []


def test_words_may_change_within_a_version_and_that_is_told(store: SqlStore, write: Callable[..., None]) -> None:
    write()
    register_file(store, "market_views.py")
    write(('owner="ana"', 'owner="ben", fresh="1d"'))
    (found,) = register_file(store, "market_views.py", only="spend").views
    assert (found.outcome, found.changes) == ("unchanged", ["fresh none -> 1d", "owner ana -> ben"])


def test_checks_on_the_rows_are_looked_at_and_their_results_kept(store: SqlStore, write: Callable[..., None]) -> None:
    write(('owner="ana"', 'checks=[in_range("amount", low=0), in_range("items", high=5, severity="warn")]'))
    found = register_file(store, "market_views.py", only="spend")
    assert found.verdict == "fail"
    stop, warn = found.views[0].broken
    assert (stop[:5], warn[:5]) == ("stop:", "warn:")
    rows = store.query("test_result", {"subject_kind": "feature_view", "subject_id": "spend@1"})
    assert sorted(row["result"] for row in rows) == ["fail", "warn"]


def test_a_copy_of_a_feature_under_another_name_is_noticed_and_not_kept(
    store: SqlStore, write: Callable[..., None]
) -> None:
    write()
    register_file(store, "market_views.py")
    copy = """
@assay.feature_view(entity="id", source="orders.parquet", time="at")
def outlay(orders):
    import pyarrow as pa
    return pa.table({"id": orders["id"], "at": orders["at"], "doubled": pc.add(orders["amount"], orders["amount"])})
"""
    write(('assay.feature_view("habits"', copy + '\nassay.feature_view("habits"'))
    found = register_file(store, "market_views.py")
    assert found.verdict == "fail"
    outlay = next(one for one in found.views if one.view == "outlay")
    assert (outlay.version, outlay.outcome) == (None, "a copy")
    assert [(one.feature, one.other, one.how) for one in outlay.like if one.is_copy] == [
        ("outlay:doubled", "spend@1:twice", "same values")
    ]
    assert view_versions(store, "outlay") == []
    write()
    assert _outcomes(store, copies=True)["outlay"] == (1, "new")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("import assay\n", "declares no feature view"),
        ("import nothing_like_it\n", "it imports 'nothing_like_it', which is not installed"),
        ("def broken(:\n", "SyntaxError"),
    ],
)
def test_a_file_that_declares_nothing_or_cannot_be_imported_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], text: str, said: str
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "odd_views.py").write_text(text)
    try:
        assert run(["--store", str(tmp_path / "none"), "features", "register", str(tmp_path / "odd_views.py")]) == 2
    finally:
        sys.modules.pop("odd_views", None)
    assert said in capsys.readouterr().err
    assert not (tmp_path / "none").exists(), "a refused input makes no store"


def test_a_file_that_is_not_there_is_told_with_the_nearest(tmp_path: Path, store: SqlStore) -> None:
    (tmp_path / "views.py").write_text("")
    with pytest.raises(InvalidInput, match=r"did you mean 'views\.py'"):
        register_file(store, str(tmp_path / "veiws.py"))
