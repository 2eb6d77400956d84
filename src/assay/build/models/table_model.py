"""An estimator with the columns it takes: it answers for tables."""

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from assay.build.data.columns import column, is_text
from assay.build.models.inputs import Classifier, Column, Regressor, matrix, object_rows
from assay.build.models.matrix_models import FrameModel
from assay.errors import InvalidInput

__all__ = ["TableModel", "columns_for", "kind_of_answers"]

Floats = NDArray[np.float64]


class TableModel:
    """Answers for rows in the order of its columns, and for tables that have these columns by name."""

    def __init__(
        self,
        name: str,
        estimator: Classifier | Regressor,
        columns: Sequence[Column],
        classes: Sequence[object] = (),
        answering: Classifier | Regressor | None = None,
    ) -> None:
        """`answering` is what answers in place of the estimator where that takes other rows than these."""
        self.name = name
        self.columns = tuple(columns)
        self._estimator = estimator
        self._classes = tuple(classes)
        names = [one.name for one in self.columns]
        named = list(getattr(estimator, "feature_names_in_", ())) == names  # then it may ask for a frame
        self._answering: Any = answering or (FrameModel(estimator, names) if named else estimator)
        self._likely = hasattr(answering or estimator, "predict_proba")

    @property
    def estimator(self) -> Classifier | Regressor:
        """What was fitted."""
        return self._estimator

    @property
    def answering(self) -> Classifier | Regressor:
        """What answers for rows of the columns; the estimator itself may take other rows."""
        return cast(Classifier | Regressor, self._answering)

    @property
    def classes(self) -> tuple[object, ...]:
        """The classes a classifier knows, in the order of its probabilities; none for other models."""
        return self._classes or tuple(getattr(self._estimator, "classes_", ()))

    @property
    def gives_probabilities(self) -> bool:
        """Whether it answers with probabilities of classes, and not with numbers."""
        return self._likely or bool(self.classes)

    def predict(self, rows: NDArray[np.object_]) -> Floats:
        """Probability of the positive class for each row; columns in the order of the signature, None for missing.

        A regressor gives its prediction. InvalidInput for a model of more than two classes.
        """
        answers = self.answers(rows)
        if answers.ndim == 1:
            return answers
        if answers.shape[1] != 2:
            raise InvalidInput(
                f"{self.name} tells {answers.shape[1]} classes apart, and none of them is the positive one",
                hint="ask for `answers`, or train with positive=",
            )
        return answers[:, 1]

    def answers(self, rows: NDArray[np.object_]) -> Floats:
        """[rows, classes] probabilities of a classifier, [rows] predictions of a regressor.

        A classifier that only names a class is as sure as can be of it.
        """
        if self._likely:
            return np.asarray(self._answering.predict_proba(rows))
        said = np.asarray(self._answering.predict(rows))
        if not self.classes:
            return said
        codes = {one: code for code, one in enumerate(self.classes)}
        sure: Floats = np.eye(len(codes))[[codes[one] for one in said.tolist()]]
        return sure

    def answer_rows(self, rows: Sequence[Sequence[object]]) -> Floats:
        """`answers` for rows in the order of the columns, with None for no value."""
        return self.answers(object_rows(self.columns, rows))

    def predict_table(self, table: pa.Table) -> Floats:
        """`predict` for a table that has the model's columns by name; InvalidInput for a missing or wrong column."""
        return self.predict(self._rows(table))

    def answer_table(self, table: pa.Table) -> Floats:
        """`answers` for such a table."""
        return self.answers(self._rows(table))

    def _rows(self, table: pa.Table) -> NDArray[np.object_]:
        for expected in self.columns:
            kind = column(table, expected.name).type
            if is_text(kind) == expected.is_number and not pa.types.is_null(kind):
                raise InvalidInput(
                    f"column {expected.name!r} is of type {kind}", where=self.name, expected=expected.type
                )
        return matrix(table, [expected.name for expected in self.columns])


def kind_of_answers(gives_probabilities: bool, classes: Sequence[object]) -> str:
    """In words what a model gives, such as `gives a probability`: where that differs none can stand in for another."""
    if not gives_probabilities:
        return "predicts numbers"
    return f"tells the classes {', '.join(map(str, classes))} apart" if len(classes) > 2 else "gives a probability"


def columns_for(estimator: object, table: pa.Table, columns: Sequence[str] | None) -> list[str]:
    """The columns that an estimator takes of a table: those given, or its own where it knows them, or all.

    InvalidInput where others are given than its own.
    """
    own = [one.name for one in estimator.columns] if isinstance(estimator, TableModel) else None
    if columns is None:
        return own if own is not None else list(table.column_names)
    if own is not None and list(columns) != own:
        raise InvalidInput(
            f"{', '.join(columns)} are not the columns of the model",
            expected=", ".join(own),
            hint="leave columns out: the model knows its own",
        )
    return list(columns)
