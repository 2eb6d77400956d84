import sys

import pytest

from assay.build.executors.opening import open_executor
from assay.errors import InvalidInput, MissingExtra


def test_threads_are_what_is_meant_where_nothing_is_said() -> None:
    with open_executor() as executor:
        assert executor.info().kind == "threads"
        assert executor.info().workers >= 1


def test_an_unknown_word_is_named_with_the_nearest() -> None:
    with pytest.raises(InvalidInput, match="unknown executor 'proceses'") as caught:
        open_executor("proceses")
    assert str(caught.value).endswith("try: processes")
    with pytest.raises(InvalidInput, match="unknown executor 'kubernetes'"):
        open_executor("kubernetes")


def test_counts_that_cannot_be_are_refused() -> None:
    for where in ("threads", "processes", "ray"):
        with pytest.raises(InvalidInput, match="workers must be at least 1, not 0"):
            open_executor(where, workers=0)
    with pytest.raises(InvalidInput, match="a running cluster has the workers it has"):
        open_executor("ray://localhost:10001", workers=2)


@pytest.mark.parametrize("where", ["ray", "auto", "localhost:6379", "ray://localhost:10001"])
def test_without_ray_the_command_that_installs_it_is_named(where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingExtra, match="pip install 'assay-mlops\\[ray\\]'"):
        open_executor(where)
