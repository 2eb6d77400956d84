"""Predictions as Assay's own JSON says them."""

from typing import Any

import msgspec

from assay.operate.serving.engine import Answered, Explained

__all__ = ["PredictAnswer", "answer"]

_encode = msgspec.json.Encoder().encode


class PredictedRow(msgspec.Struct, omit_defaults=True):
    """A row: the probability of the positive class; a regressor's `value`; with more than two classes the likeliest
    and the probabilities of all. `variant` and `version` are there where a split runs.
    """

    id: str
    probability: float | msgspec.UnsetType = msgspec.UNSET
    value: float | msgspec.UnsetType = msgspec.UNSET
    label: str | msgspec.UnsetType = msgspec.field(default=msgspec.UNSET, name="class")
    probabilities: dict[str, float] | msgspec.UnsetType = msgspec.UNSET
    variant: str | None = None
    version: int | None = None
    flags: dict[str, str] | None = None
    features: Explained | None = None


class PredictAnswer(msgspec.Struct):
    """What `/predict` answers. `model` and `version` are those of the champion."""

    model: str
    version: int
    revision: int
    predictions: list[PredictedRow]


def answer(answered: Answered) -> bytes:
    """The JSON of an answer. `model` and `version` are those of the champion."""
    table, scores = answered.table, answered.scores
    version = table.champion.model.version
    if scores is not None:
        classes = [str(one) for one in answered.classes]
        predictions = [
            PredictedRow(
                id,
                probability=number,
                label=classes[own.index(number)],
                probabilities=dict(zip(classes, own, strict=True)),
            )
            for id, number, own in zip(answered.ids, answered.outputs, scores, strict=True)
        ]
    elif not answered.is_likely:
        predictions = [PredictedRow(id, value=one) for id, one in zip(answered.ids, answered.outputs, strict=True)]
    else:
        predictions = [PredictedRow(id, one) for id, one in zip(answered.ids, answered.outputs, strict=True)]
    if table.split is not None:
        for one, position in zip(predictions, answered.variants, strict=True):
            chosen = table.variants[position]
            one.variant, one.version = chosen.variant.name, chosen.model.version.version
    for name, values in (("flags", answered.flags), ("features", answered.explained)):
        _put(predictions, name, values)
    return _encode(PredictAnswer(version.model, version.version, table.revision, predictions))


def _put(predictions: list[PredictedRow], name: str, values: list[Any] | None) -> None:
    if values is not None:
        for one, value in zip(predictions, values, strict=True):
            setattr(one, name, value)
