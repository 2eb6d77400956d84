"""`assay labels coverage`: which share of what each variant answered has its label by now."""

from typing import Annotated

import msgspec

from assay.errors import NotFound
from assay.operate.labels.known import register_labels
from assay.operate.moments import moment_given
from assay.operate.predictions.folder import log_folder
from assay.operate.predictions.rows import predictions_database
from assay.operation import operation
from assay.record.store import Store
from assay.stats.contingency import shares_differ_p

__all__ = ["Coverage", "DayCoverage", "label_coverage"]

_COUNTED = """
    with named as (from labels where name = $name),
        of_units as (select unit, max(event_ts) as last from named where prediction_id is null group by unit)
    select day::varchar, variant, count(*),
        count(*) filter (id in (select prediction_id from named where prediction_id is not null)
            or coalesce(of_units.last >= moment, false))
    from predictions left join of_units using (unit)
    where role = 'live' and status = 'ok' and reason not in ('forced', 'fallback')
    group by all order by all
"""


class DayCoverage(msgspec.Struct, frozen=True):
    """The answered predictions of a day and a variant, and how many of them have a label."""

    day: str
    variant: str
    predictions: int
    labelled: int


class Coverage(msgspec.Struct, frozen=True):
    """Labels by variant and day. `p` is small where the variants differ in their share of labels by more than chance.

    Then the labels of one variant are lost or late, and no comparison of the variants is to be believed.
    """

    endpoint: str
    name: str
    predictions: int
    labelled: int
    variants: dict[str, float]
    p: float
    days: list[DayCoverage]


@operation("labels coverage")
def label_coverage(
    store: Store,
    endpoint: str,
    *,
    name: Annotated[str, "The name of the label"] = "label",
    since: Annotated[str | None, "From this moment on: a time, or how long ago, as 7d"] = None,
    until: Annotated[str | None, "Before this moment"] = None,
) -> Coverage:
    """Say how many predictions have a label, by variant and day, and whether the variants differ in it.

    A label of a unit counts for its predictions up to the event. The p-value is that of the chi-square test over the
    whole span, which takes rows as independent; forced rows, fallbacks and errors are left out.

    Raises NotFound for an endpoint without a log.
    """
    if not log_folder(store, endpoint).is_dir():
        raise NotFound(f"endpoint {endpoint!r} has no prediction log", where=store.location)
    begin, end = moment_given(store, since, "since"), moment_given(store, until, "until")
    with predictions_database(store, endpoint, since=begin, until=end) as connection:
        register_labels(connection, store, endpoint)
        days = [DayCoverage(*row) for row in connection.execute(_COUNTED, {"name": name}).fetchall()]
    variants = sorted({one.variant for one in days})
    totals = {variant: sum(one.predictions for one in days if one.variant == variant) for variant in variants}
    labelled = {variant: sum(one.labelled for one in days if one.variant == variant) for variant in variants}
    return Coverage(
        endpoint=endpoint,
        name=name,
        predictions=sum(totals.values()),
        labelled=sum(labelled.values()),
        variants={variant: labelled[variant] / totals[variant] for variant in variants},
        p=shares_differ_p(list(labelled.values()), list(totals.values())),
        days=days,
    )
