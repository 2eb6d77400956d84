"""Why answers moved, in words: because other rows came, or because the same rows are answered otherwise."""

from assay.operate.monitors.profiles import ANSWER
from assay.stats.drift import Numbers, TableProfile
from assay.stats.mix import kitagawa

__all__ = ["mix_said"]

_MOST = 2.0 / 3.0  # of the change: then it is named for that


def mix_said(before: TableProfile, after: TableProfile, by: str) -> str | None:
    """Kitagawa's decomposition of the mean answer over the values of one segment column; None without such segments."""
    segments = [one for one in before.segments if [name for name, _ in one.conditions] == [by]]
    segments += [one for one in after.segments if [name for name, _ in one.conditions] == [by] and one not in segments]
    if not segments:
        return None
    rows, sums = [], []
    for profile in (before, after):
        columns = [profile.column(ANSWER, one) for one in segments]
        counts = [one.present for one in columns]
        means = [one.mean if isinstance(one, Numbers) and one.present else 0.0 for one in columns]
        rows.append(counts)
        sums.append([count * mean for count, mean in zip(counts, means, strict=True)])
    if not sum(rows[0]) or not sum(rows[1]):
        return None
    found = kitagawa(rows[0], sums[0], rows[1], sums[1])
    said = f"of the change by {found.delta:+.3g}, {found.mix:+.3g} is other traffic by {by}"
    said += f", {found.rate:+.3g} other answers"
    total = abs(found.mix) + abs(found.rate)
    if abs(found.mix) >= _MOST * total:
        return f"{said}: the model is unchanged, the traffic moved"
    if abs(found.rate) >= _MOST * total:
        return f"{said}: the same traffic is answered otherwise"
    return said
