"""What leaked values cost a model that was trained on them, in rows where nothing leaks."""

import numpy as np
import pyarrow as pa
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression

from assay.build.views.declared.view import FeatureView, feature_view
from assay.build.views.joining.training_set import training_set
from assay.errors import InvalidInput
from assay.prove.leakage_cost import leakage_cost

_DAY = 86_400_000_000


def example() -> tuple[pa.Table, FeatureView]:
    """Customers by day with a count of complaints that tells a little before the day and all after it."""
    rng = np.random.default_rng(0)
    n = 3000
    late = rng.random(n) < 0.4
    days = rng.integers(1, 300, n)
    before = np.where(late, 0.4, 0.0) + rng.normal(size=n)
    history = pa.table(
        {
            "order": np.concatenate([np.arange(n)] * 2),
            "at": pa.array(np.concatenate([days - 1, days + 1]) * _DAY, pa.timestamp("us", "UTC")),
            "signal": np.concatenate([before, np.where(late, 5.0, -5.0)]),
        }
    )
    history = history.append_column("loaded", history["at"])
    view: FeatureView = feature_view(
        "signals", entity="order", time="at", created="loaded", source=history, features=["signal"]
    )
    labels = pa.table({"order": np.arange(n), "when": pa.array(days * _DAY, pa.timestamp("us", "UTC")), "late": late})
    return labels, view


def there(value: float | None) -> float:
    assert value is not None
    return value


def test_a_leak_seems_good_and_costs_what_a_clean_model_gains() -> None:
    labels, view = example()
    known = training_set(labels, [view], as_of="known", time="when").table
    after = labels.set_column(1, "when", pa.array([400 * _DAY] * 3000, labels["when"].type))
    leaky = training_set(after, [view], time="when").table.set_column(1, "when", labels["when"])
    parts = {
        name: (table.slice(0, 2000), table.slice(2000)) for name, table in {"known": known, "leaky": leaky}.items()
    }
    estimator = HistGradientBoostingClassifier(max_iter=30, random_state=0)
    found = {one.metric: one for one in leakage_cost(estimator, *parts["leaky"], [view], label="late", time="when")}
    auc, loss = found["auc"], found["log_loss"]
    assert auc.rows == 1000
    assert auc.seemed == 1.0
    assert there(auc.served) < 0.62
    assert there(auc.clean) > 0.55
    assert there(loss.served) > 2 * there(loss.clean)
    assert there(loss.low) > 0, "the gain is shown"
    nothing = leakage_cost(LogisticRegression(), *parts["known"], [view], label="late", time="when")
    assert all(one.gain == 0 and one.seemed == one.served == one.clean for one in nothing)


def test_evaluation_rows_need_the_same_columns() -> None:
    labels, view = example()
    with pytest.raises(InvalidInput, match="no column 'signal'"):
        leakage_cost(LogisticRegression(), training_set(labels, [view], time="when"), labels, label="late")
