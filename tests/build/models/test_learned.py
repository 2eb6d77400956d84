import numpy as np
import pyarrow as pa

from assay.build.models.inputs import Column
from assay.build.models.learned import LearnedColumn, learned_columns

COLUMNS = [Column("distance", "double"), Column("carrier", "string")]


def learned(**columns: object) -> list[LearnedColumn]:
    kinds = {"distance": "double", "carrier": "string"}
    return learned_columns(pa.table(columns), [Column(name, kinds[name]) for name in columns])


def test_numbers_have_a_least_and_a_greatest_and_the_median_to_fill_in() -> None:
    (found,) = learned(distance=[4.0, 1.0, 100.0])
    assert found == LearnedColumn("distance", 3, 0, 1.0, 100.0, fill=4.0)


def test_texts_are_counted_and_the_most_frequent_is_filled_in() -> None:
    (found,) = learned(carrier=["UA", "AA", "UA", "B6", "B6"])
    assert found.categories == {"B6": 2, "UA": 2, "AA": 1}
    assert found.fill == "B6"


def test_nothing_is_filled_in_where_training_had_gaps_itself() -> None:
    numbers, texts = learned(distance=[1.0, float("nan"), None], carrier=["UA", None, None])
    assert (numbers.missing, numbers.fill, numbers.low) == (2, None, 1.0)
    assert (texts.missing, texts.fill, texts.categories) == (2, None, {"UA": 1})


def test_infinities_and_whole_numbers_and_booleans_are_numbers() -> None:
    assert learned(distance=[1.0, float("inf"), 3.0])[0].high == 3.0
    assert learned(distance=[1, 2, 4])[0].high == 4.0
    found = learned(distance=[True, False, True])[0]
    assert (found.low, found.high) == (0.0, 1.0)


def test_a_column_of_more_than_a_thousand_texts_is_open() -> None:
    texts = [str(one) for one in range(1000)]
    assert len(learned(carrier=texts)[0].categories or {}) == 1000
    assert learned(carrier=[*texts, "one more"])[0].categories is None


def test_a_column_without_a_value_says_only_that() -> None:
    assert learned(distance=pa.array([None, None], pa.float64())) == [LearnedColumn("distance", 2, 2)]
    assert learned(distance=pa.array(np.array([], dtype=np.float64))) == [LearnedColumn("distance", 0)]
    assert learned(carrier=pa.array([None], pa.string())) == [LearnedColumn("carrier", 1, 1)]
