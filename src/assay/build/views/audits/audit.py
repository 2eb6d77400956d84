"""Leakage audit of a training set: which rows used values that were not known at their time.

Any table will do, whoever joined it: every cell is computed anew from the histories of the feature views, by the fold
that training and serving use.
"""

from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from assay.build.data.columns import column
from assay.build.data.finding import Findings
from assay.build.data.sources import rows_named
from assay.build.views.audits.audit_cells import (
    CLEAN,
    CORRECTION,
    FINDINGS,
    LEAK,
    UNEXPLAINED,
    Recomputed,
    classified,
)
from assay.build.views.audits.audit_later import only_later
from assay.build.views.audits.audit_signs import signs
from assay.build.views.audits.audited_set import Knowledge, audited_set
from assay.build.views.declared.moments import moment_text
from assay.build.views.joining.references import Asked
from assay.build.views.matching.matching import NOTHING
from assay.record import tables
from assay.record.canonical import canonical_json
from assay.record.identity import ordered_id
from assay.record.store import Store

__all__ = ["Audit", "AuditedCell", "AuditedFeature", "audit", "sentence"]

_EXAMPLES = 3  # of each finding and feature


class AuditedCell(msgspec.Struct, frozen=True):
    """A cell that is not clean, its values as text; `borrowed` is when the value that it has became known."""

    row: int
    finding: str
    value: str
    known_then: str
    true_then: str
    now: str
    borrowed: str | None


class AuditedFeature(msgspec.Struct, frozen=True):
    """The cells of one column by finding.

    `knowledge` says what the time is at which a row became known: the view's `created`, the time of its arrival in the
    "log", or "none": then what was true then counts as known. Values were compared as `compared_as`, the column's type.
    `later` are those of the unexplained whose value a later row of the key has, and none before (not of windows).
    `borrowed_from` and `borrowed_to` are the first and last moment at which a value became known that rows had before.
    """

    feature: str
    column: str
    knowledge: Knowledge
    compared_as: str
    clean: int
    correction: int
    leak: int
    unexplained: int
    later: int
    borrowed_from: str | None
    borrowed_to: str | None
    examples: list[AuditedCell]


class Audit(msgspec.Struct, frozen=True):
    """What an audit found. `not_known` are the rows that used a value not known at their time, counted from 0.

    The verdict is fail where a value leaks, where only a later row has it, or a sign says stop; warn where one is
    a later correction or unexplained, and where a sign warns; else pass. `unexplained` counts rows.
    """

    training_set: str
    dataset_hash: str
    rows: int
    verdict: Literal["pass", "warn", "fail"]
    features: list[AuditedFeature]
    not_known: list[int]
    unexplained: int
    signs: Findings
    remarks: list[str]


def audit(
    training_set: object,
    features: Sequence[Asked] | None = None,
    *,
    time: str | None = None,
    columns: Mapping[str, str] | None = None,
    label: str | None = None,
    evaluation: object = None,
    prefix: bool = False,
    store: Store | None = None,
) -> Audit:
    """Say which rows of a training set used values that were not known at their time, and what else leaks.

    `training_set` is a table, a place that `assay.source` reads, the name of a dataset, or what `training_set` made or
    kept: then its features, their columns and its time are known. Each cell is compared with what was known then
    (knowledge time), what was true then (event time, also as corrected later), and the newest value now; the first that
    it equals says what it is. Values are compared exactly, after they were converted to the type of the column.
    `columns` says where a key or a feature is called otherwise in the table, as `{"flights:delay_7d": "delay"}`. With
    `label` and rows of `evaluation`, more signs of leakage are looked for. With a store the result is kept as evidence
    about the dataset.

    InvalidInput for columns that are missing or of another kind, NotFound for views and datasets that there are not.
    """
    given = audited_set(training_set, features, time, columns, store, prefix=prefix)
    table = given.table
    remarks: list[str] = []
    audited: list[AuditedFeature] = []
    borrowing = np.zeros(table.num_rows, bool)
    strange = np.zeros(table.num_rows, bool)
    for one in given.views:
        values, knowledge = given.recomputed(one, remarks)
        for feature in one.features:
            name = given.column_of(one, feature)
            kinds = classified(column(table, name), values, feature, name)
            later = np.zeros(table.num_rows, bool)
            if (kinds == UNEXPLAINED).any() and not one.view.aggregates:
                later = (kinds == UNEXPLAINED) & only_later(column(table, name), values, feature, name)
            borrowing |= (kinds == CORRECTION) | (kinds == LEAK) | later
            strange |= (kinds == UNEXPLAINED) & ~later
            reference = f"{one.reference}:{feature}"
            audited.append(_feature(reference, table, name, knowledge, kinds, values, feature, int(later.sum())))
    others = None if evaluation is None else rows_named(evaluation, store)
    names = [one.column for one in audited]
    seen = signs(table, others, names, label=label, time=given.time, entity=given.keys)
    leaks = any(one.leak or one.later for one in audited) or seen.stops
    doubts = bool(seen) or any(one.correction or one.unexplained for one in audited)
    result = Audit(
        given.called,
        tables.content_hash(table),
        table.num_rows,
        "fail" if leaks else "warn" if doubts else "pass",
        audited,
        np.flatnonzero(borrowing).tolist(),
        int(np.count_nonzero(strange)),
        seen,
        remarks,
    )
    if store is not None:
        _keep(store, result)
    return result


def _feature(
    reference: str,
    table: pa.Table,
    name: str,
    knowledge: Knowledge,
    kinds: NDArray[np.int8],
    values: Recomputed,
    feature: str,
    later: int,
) -> AuditedFeature:
    borrowed = values.borrowed(kinds)
    moments = borrowed[borrowed != NOTHING]
    counts = np.bincount(kinds, minlength=len(FINDINGS)).tolist()
    cells = column(table, name)
    examples = []
    for kind in (LEAK, CORRECTION, UNEXPLAINED):
        for row in np.flatnonzero(kinds == kind)[:_EXAMPLES].tolist():
            texts = [str(one[row].as_py()) for one in (cells, *_columns(values, feature))]
            when = moment_text(int(borrowed[row])) if borrowed[row] != NOTHING else None
            examples.append(AuditedCell(row, FINDINGS[kind], texts[0], texts[1], texts[2], texts[3], when))
    return AuditedFeature(
        feature=reference,
        column=name,
        knowledge=knowledge,
        compared_as=str(cells.type),
        clean=counts[CLEAN],
        correction=counts[CORRECTION],
        leak=counts[LEAK],
        unexplained=counts[UNEXPLAINED],
        later=later,
        borrowed_from=moment_text(int(moments.min())) if len(moments) else None,
        borrowed_to=moment_text(int(moments.max())) if len(moments) else None,
        examples=examples,
    )


def _columns(values: Recomputed, feature: str) -> list[pa.ChunkedArray]:
    return [one.values.column(feature) for one in (values.known, values.true, values.now)]


def _keep(store: Store, found: Audit) -> None:
    detail = {
        "name": f"no value in {', '.join(one.feature for one in found.features)} was unknown at the time of its row",
        "rows": len(found.not_known),
        "found": sentence(found),
        "features": msgspec.to_builtins(found.features),
    }
    row = {
        "id": ordered_id(),
        "subject_kind": "dataset",
        "subject_id": found.dataset_hash,
        "tag": "D4",  # ML Test Score: features adhere to meta-level requirements, here to what is known at their time
        "kind": "feature_audit",
        "result": found.verdict,
        "mode": "auto",
        "detail": canonical_json(detail),
    }
    store.append("test_result", row)


def sentence(found: Audit) -> str:
    """What was found in one line."""
    if not found.not_known and not found.unexplained:
        return f"no value in {found.rows:,} rows was unknown at the time of its row"
    said = f"{len(found.not_known):,} of {found.rows:,} rows used values not known then"
    return said + (f"; nothing explains values of {found.unexplained:,}" if found.unexplained else "")
