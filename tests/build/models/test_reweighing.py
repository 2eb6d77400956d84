"""Weights under which group and label are independent."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from assay.build.models.reweighing import fit_reweighed, reweighing
from assay.errors import InvalidInput


def test_the_example_of_kamiran_and_calders() -> None:
    """Ten applicants, five of each sex; of the men four are accepted, of the women two."""
    groups = ["m"] * 5 + ["f"] * 5
    labels = np.array([1, 1, 1, 1, 0, 1, 1, 0, 0, 0], dtype=float)
    weights = reweighing(groups, labels)
    assert weights[:5].tolist() == pytest.approx([0.75, 0.75, 0.75, 0.75, 2.0])
    assert weights[5:].tolist() == pytest.approx([1.5, 1.5, 0.67, 0.67, 0.67], abs=0.01)


def test_every_group_has_the_same_weighted_share_of_positives() -> None:
    generator = np.random.default_rng(1)
    groups = generator.choice(["a", "b", "c"], 500, p=[0.6, 0.3, 0.1])
    labels = (generator.random(500) < np.where(groups == "a", 0.5, 0.2)).astype(float)
    weights = reweighing(groups.tolist(), labels)
    assert weights.sum() == pytest.approx(500)
    for group in "abc":
        mine = groups == group
        assert np.average(labels[mine], weights=weights[mine]) == pytest.approx(labels.mean())


def test_a_pipeline_gives_the_weights_to_its_last_step() -> None:
    generator = np.random.default_rng(2)
    X, groups = generator.normal(size=(300, 2)), generator.choice(["a", "b"], 300).tolist()
    labels = (X[:, 0] + generator.normal(size=300) > 0).astype(float)
    weights = reweighing(groups, labels)
    plain = LogisticRegression().fit(X, labels.astype(int), sample_weight=weights)
    original = LogisticRegression()
    alone = fit_reweighed(original, X, labels, groups)
    assert alone.coef_.tolist() == plain.coef_.tolist()
    assert not hasattr(original, "coef_"), "what was given is not changed"
    inside = fit_reweighed(make_pipeline(StandardScaler(), LogisticRegression()), X, labels, groups)
    assert inside.predict_proba(X).shape == (300, 2)


@pytest.mark.parametrize(
    ("estimator", "message"),
    [
        (KNeighborsClassifier(), "KNeighborsClassifier takes no weights"),
        (make_pipeline(StandardScaler(), KNeighborsClassifier()), "KNeighborsClassifier takes no weights"),
        (LinearSVC(), "LinearSVC gives no probabilities"),
        (object(), "object cannot be trained again"),
    ],
)
def test_what_cannot_be_trained_so_is_told(estimator: object, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        fit_reweighed(estimator, np.eye(4), np.array([0.0, 1.0, 0.0, 1.0]), ["a", "b", "a", "b"])
