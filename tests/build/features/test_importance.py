"""Importance on held-out rows with an interval, and groups of columns that say the same."""

import numpy as np
import pyarrow as pa
import pytest

from assay.build.features.importance import feature_report, redundant_groups
from assay.errors import InvalidInput


def table(rows: int = 2000, seed: int = 1) -> pa.Table:
    rng = np.random.default_rng(seed)
    size, noise = rng.normal(size=rows), rng.normal(size=rows)
    return pa.table(
        {
            "size": size,
            "size_cm": np.exp(size) * 100,
            "noise": noise,
            "country": [f"k{one}" for one in np.arange(rows) % 6],
            "language": [f"l{one // 2}" for one in np.arange(rows) % 6],
            "person": np.arange(rows) // 4,
            "constant": np.zeros(rows),
            "late": (rng.random(rows) < 1 / (1 + np.exp(-2 * size))).astype(int),
            "price": 3 * size + 0.1 * noise,
        }
    )


def likely(rows: pa.Table) -> object:
    return 1 / (1 + np.exp(-2 * rows["size"].to_numpy()))


def test_what_the_model_uses_is_worth_something_and_what_it_does_not_nothing() -> None:
    found = feature_report(likely, table(), "late", ["noise", "size"])
    assert [one.columns for one in found.importances] == [["size"], ["noise"]]
    size, noise = found.importances
    assert 0 < size.low < size.loss < size.high
    assert (noise.loss, noise.low, noise.high) == (0.0, 0.0, 0.0)
    assert found.base_loss == pytest.approx(0.47, abs=0.05)
    assert "size" in str(found)


def test_redundant_columns_hide_each_other_and_are_shuffled_together() -> None:
    def either(rows: pa.Table) -> object:
        both = (rows["size"].to_numpy() + np.log(rows["size_cm"].to_numpy() / 100)) / 2
        return 1 / (1 + np.exp(-2 * both))

    found = feature_report(either, table(), "late", ["size", "size_cm", "noise"])
    assert found.redundant == [["size", "size_cm"]]
    losses = {" + ".join(one.columns): one.loss for one in found.importances}
    assert losses["size + size_cm"] > 2 * losses["size"] > 0


def test_numbers_names_and_constants_are_grouped_by_what_they_say() -> None:
    assert redundant_groups(table(), ["size", "size_cm", "noise", "constant"]) == [["size", "size_cm"]]
    assert redundant_groups(table(), ["country", "language", "size"]) == [["country", "language"]]
    assert redundant_groups(table(), ["noise", "size", "country"]) == []


def test_rows_of_a_unit_widen_the_interval() -> None:
    doubled = pa.concat_tables([table(500)] * 4)
    alone = feature_report(likely, doubled, "late", ["size"]).importances[0]
    together = feature_report(likely, doubled, "late", ["size"], unit="person").importances[0]
    assert together.high - together.low > 1.2 * (alone.high - alone.low)


def test_numbers_and_classes_are_labels_too() -> None:
    found = feature_report(lambda rows: 3 * rows["size"].to_numpy(), table(), "price", ["size"])
    assert found.loss == "squared error"
    assert found.importances[0].loss == pytest.approx(18.0, rel=0.1)
    kinds = table().append_column("kind", pa.array(np.array([9, 10, 11])[np.digitize(table()["size"], [-0.5, 0.5])]))

    def of_kinds(rows: pa.Table) -> object:
        return np.eye(3)[np.digitize(rows["size"].to_numpy(), [-0.5, 0.5])] * 0.97 + 0.01

    found = feature_report(of_kinds, kinds, "kind", ["size", "noise"])
    assert found.base_loss == pytest.approx(-np.log(0.98))
    assert found.importances[0].columns == ["size"]


@pytest.mark.parametrize(
    ("model", "label", "message"),
    [
        (lambda rows: np.zeros((rows.num_rows, 3)), "late", "the model gives shape"),
        (lambda rows: np.zeros((rows.num_rows, 3)), "price", "the model gives shape"),
        (likely, "constant", "every label in 'constant'"),
    ],
)
def test_answers_of_another_shape_are_refused(model: object, label: str, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        feature_report(model, table(), label, ["size"])  # type: ignore[arg-type]
