"""A version as a server answers with it: the compiled form where there is one, and the estimator behind it.

The estimator is not loaded before it is needed: with a compiled form a server is ready without the library that the
model was trained with. One in some requests, at most one a second, is answered by both, in the background, and
compared; where they differ the compiled form is not used any more.
"""

import queue
import sys
import threading
import time
from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from assay.build.models.compiling import CompileReport, Predictor, form_of, report_of
from assay.build.models.inputs import object_rows
from assay.build.models.packaging import LoadedModel, load_model, opened_model
from assay.errors import AssayError
from assay.record.store import Store

__all__ = ["COMPARE_EVERY", "COMPARE_S", "FormCounts", "ServedModel", "load_to_serve"]

COMPARE_EVERY = 1000
COMPARE_S = 1.0  # not more often: under load the estimator would take a core away from the answers
_WAITING = 64  # comparisons; more are left out
_IDLE_S = 60.0
_AT_ONCE = 32  # rows: the estimator takes as long for one
Floats = NDArray[np.float64]
Rows = Sequence[Sequence[object]]


class FormCounts(msgspec.Struct):
    """What the compiled form of a version did: calls that it `answered`, warming up among them, and `fallbacks` of it
    to the estimator; rows `compared` with the estimator, and `differences` among them.
    """

    model: str
    version: int
    answered: int = 0
    fallbacks: int = 0
    compared: int = 0
    differences: int = 0


class ServedModel(LoadedModel):
    """Answers by the compiled form where it has one. Safe to call from several threads.

    It counts in `counts`, its own or those it is given; `problem` says why the compiled form is not used any more.
    """

    def __init__(
        self,
        store: Store,
        opened: LoadedModel,
        form: Predictor | None,
        report: CompileReport | None,
        counts: FormCounts | None = None,
    ) -> None:
        super().__init__(
            opened.version,
            None,
            opened.columns,
            opened.example,
            opened.classes,
            opened.features,
            opened.learned,
            opened.policies,
            opened.flavour,
        )
        self.compare_every = COMPARE_EVERY
        self.compare_s = COMPARE_S
        self.counts = counts or FormCounts(opened.version.model, opened.version.version)
        self.problem: str | None = None
        self._store = store
        self._form = form
        self._tolerance = report.tolerance if report else 0.0
        self._loaded: LoadedModel | None = None
        self._loading = threading.Lock()
        self._until_compared = self.compare_every
        self._waiting: queue.Queue[tuple[Rows, Floats] | None] = queue.Queue(_WAITING)
        self._comparing: threading.Thread | None = None
        self._compare_at = 0.0
        self._has_failed = False

    @property
    def is_compiled(self) -> bool:
        """Whether the compiled form answers."""
        return self._form is not None

    @property
    def native(self) -> LoadedModel:
        """The version with its estimator, loaded when it is first asked for; what `load_model` raises."""
        with self._loading:
            if self._loaded is None:
                self._loaded = load_model(self._store, self.version)
            return self._loaded

    @property
    def gives_probabilities(self) -> bool:
        """Whether it answers with probabilities of classes, and not with numbers."""
        return bool(self.classes) or (not self.is_compiled and self.native.gives_probabilities)

    @property
    def estimator(self) -> Any:
        """What was fitted."""
        return self.native.estimator

    @property
    def answering(self) -> Any:
        """What answers for rows of the columns, of the estimator."""
        return self.native.answering

    def answers(self, rows: NDArray[Any]) -> Floats:
        """`TableModel.answers`, by the compiled form where there is one; rows may be a matrix of floats."""
        form = self._form
        if form is not None:
            try:
                return form.predict(rows)
            except Exception as error:  # noqa: BLE001 - whatever it is, the estimator is asked
                self._fell_back(error)
        return self.native.answers(rows)

    def answer_rows(self, rows: Sequence[Sequence[object]]) -> Floats:
        """`answers` for tuples in the order of the columns, with None for no value: the fastest for few rows."""
        form = self._form
        if form is None:
            return self.native.answers(object_rows(self.columns, rows))
        try:
            said = form.predict(rows)
        except Exception as error:  # noqa: BLE001 - whatever it is, the estimator is asked
            self._fell_back(error)
            return self.native.answers(object_rows(self.columns, rows))
        self.counts.answered += 1
        self._until_compared -= 1
        if self._until_compared <= 0:
            self._compare_later(rows, said)
        return said

    def warm_up(self) -> None:
        """Answer for the example rows, so that the first request finds everything loaded."""
        rows = [tuple(row) for row in self.example]
        for some in (rows[:1], rows):
            self.answer_rows(some)

    def close(self) -> None:
        """End comparing; what waits to be compared is left out."""
        if self._comparing is not None:
            with self._waiting.mutex:
                self._waiting.queue.clear()
            self._waiting.put(None)
            self._comparing.join()
            self._comparing = None

    def _fell_back(self, error: Exception) -> None:
        self.counts.fallbacks += 1
        if not self._has_failed:
            self._has_failed = True
            said = f"{type(error).__name__}: {error}"
            sys.stderr.write(f"{self.name}: the compiled form failed, and the model itself answers: {said}\n")

    def _compare_later(self, rows: Rows, said: Floats) -> None:
        self._until_compared = self.compare_every
        now = time.monotonic()
        if now < self._compare_at:
            return
        self._compare_at = now + self.compare_s
        if self._comparing is None:
            self._comparing = threading.Thread(target=self._compare, name="compare", daemon=True)
            self._comparing.start()
        try:
            self._waiting.put_nowait((rows[:_AT_ONCE], said[:_AT_ONCE]))
        except queue.Full:
            return

    def _compare(self) -> None:
        while self._form is not None:
            try:
                one = self._waiting.get(timeout=_IDLE_S)
            except queue.Empty:  # a model that is not asked any more can be let go
                self._comparing = None
                return
            if one is None:
                return
            rows, said = one
            try:
                wanted = self.native.answers(object_rows(self.columns, rows))
            except Exception as error:  # noqa: BLE001 - a library that is not installed, or a model that cannot be read
                told = str(error) if isinstance(error, AssayError) else f"{type(error).__name__}: {error}"
                sys.stderr.write(f"{self.name}: the compiled form is not compared any more: {told}\n")
                return
            scale = 1.0 if wanted.ndim == 2 else max(float(np.abs(wanted).max()), 1.0)
            gaps = np.abs(wanted - said).reshape(len(rows), -1).max(axis=1) / scale
            self.counts.compared += len(rows)
            beyond = ~(gaps <= self._tolerance)
            if beyond.any():
                self.counts.differences += int(beyond.sum())
                self.problem = (
                    f"the compiled form of {self.name} differs from the model by {float(gaps.max()):.2g} "
                    f"(allowed: {self._tolerance:g}) and is switched off; the model itself answers"
                )
                self._form = None
                sys.stderr.write(f"{self.problem}\n")


def load_to_serve(store: Store, version: Any, counts: FormCounts | None = None) -> ServedModel:
    """The version ready to answer requests, which counts in `counts`; raises what `load_model` does, where no compiled
    form answers.
    """
    opened = opened_model(store, version)
    report = report_of(store, version)
    form = form_of(store, version, report)
    served = ServedModel(store, opened, form, report, counts)
    if form is None:
        _ = served.native
    return served
