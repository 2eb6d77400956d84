"""Slices that were searched for: where the candidate is worst, and where it is worse than the baseline."""

from collections.abc import Mapping
from dataclasses import replace

import pyarrow as pa

from assay.errors import InvalidInput
from assay.prove.asked import BUCKETS, Asked
from assay.prove.predictions import Said
from assay.prove.sources import Source
from assay.stats import FoundSlice, code_columns, find_slices, row_losses, rows_of

__all__ = ["found_slices"]


def found_slices(
    asked: Asked, source: Source, said: Mapping[str, Said] | None, candidate: str, baseline: str
) -> dict[str, list[FoundSlice]]:
    """Where the candidate's loss is highest ("loss") and where it is higher than the baseline's ("difference").

    The loss is that of `row_losses`; rows without a label are left out, and sample weights do not count. InvalidInput
    for files, which would have to be in memory.
    """
    if not isinstance(source, pa.Table):
        raise InvalidInput(
            "slices are searched for in memory, and these rows are read in parts",
            hint="search a table with a part of the rows",
        )
    alike = asked.unweighted()
    given = replace(alike.columns(source, "data", said), weights=None)
    thresholds = dict.fromkeys(alike.models, alike.threshold) if alike.task.has_scores else {}
    rows = rows_of(given, thresholds, BUCKETS, alike.seed, 1, alike.task)
    coded = code_columns(given.segments, len(rows.labelled)).only(rows.labelled)
    bucket = rows.bucket[rows.labelled]
    find = alike.segments.find
    loss = row_losses(rows, candidate)
    found = {"loss": find_slices(coded, loss, bucket, find=find)}
    if baseline in alike.models:
        difference = loss - row_losses(rows, baseline)
        found["difference"] = find_slices(coded, difference, bucket, find=find, kind="difference")
    return found
