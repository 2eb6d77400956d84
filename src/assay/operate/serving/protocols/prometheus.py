"""`/metrics` in the text format of Prometheus; with several workers the sum over them."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate

from assay.operate.serving.counting import BOUNDS_S, Counted, Series
from assay.operate.serving.engine import Engine
from assay.operate.serving.protocols.asking import Reply

__all__ = ["metrics"]

_HEADERS = [(b"content-type", b"text/plain; version=0.0.4; charset=utf-8")]
_ESCAPES = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})
Labels = Mapping[str, object]


def metrics(engine: Engine, counts: Counted) -> Reply:
    """Everything that is counted, with the endpoint as a label of each sample."""
    table, series, text = engine.table, counts.series, _Text(engine.endpoint)
    text.family("requests_total", "counter", "Requests by who answered.", [(_who(s), s.requests) for s in series])
    text.family("predictions_total", "counter", "Rows that were predicted.", [(_who(s), s.rows) for s in series])
    text.family("model_seconds_total", "counter", "Time in models.", [(_who(s), s.model_ns / 1e9) for s in series])
    text.histogram("request_seconds", "From the last byte of a request to the end of its predictions.", series)
    codes = [({"code": name}, count) for name, count in counts.answers.items()]
    text.family("http_responses_total", "counter", "HTTP answers by status.", codes)
    reasons = [({"reason": name}, count) for name, count in counts.reasons.items()]
    text.family("assigned_rows_total", "counter", "Rows by why they had their variant.", reasons)
    broken = [
        (dict(zip(("column", "kind", "action"), key.split("\t"), strict=True)), count)
        for key, count in counts.signature.items()
    ]
    text.family("signature_values_total", "counter", "Values that broke the signature.", broken)
    forms = [({"model": one.model, "version": one.version}, one) for one in counts.forms]
    calls = [({**who, "by": "form"}, one.answered) for who, one in forms]
    calls += [({**who, "by": "model"}, one.fallbacks) for who, one in forms]
    text.family(
        "form_calls_total", "counter", "Calls of compiled forms: by the form, or the model in its place.", calls
    )
    compared = [(who, one.compared) for who, one in forms]
    text.family("form_compared_rows_total", "counter", "Rows that form and model answered.", compared)
    different = [(who, one.differences) for who, one in forms]
    text.family("form_different_rows_total", "counter", "Rows where the two differed.", different)
    text.family("refused_requests_total", "counter", "Requests turned away for the load.", [({}, counts.refused)])
    states = {"accepted": counts.log_accepted, "written": counts.log_written, "lost": counts.log_lost}
    text.family("log_rows_total", "counter", "Rows of the log.", [({"state": s}, count) for s, count in states.items()])
    kept = {"compacted": counts.log_compacted_rows, "pruned": counts.log_pruned_rows}
    done = [({"what": what}, count) for what, count in kept.items()]
    text.family("log_kept_rows_total", "counter", "Rows of the log that this server compacted or took away.", done)
    failures = counts.log_keeping_failures
    text.family("log_keeping_failures_total", "counter", "How often that could not be done.", [({}, failures)])
    lost = counts.shadow_rows_lost
    text.family("shadow_lost_rows_total", "counter", "Rows that a shadow did not see for the load.", [({}, lost)])
    text.family("waiting_rows", "gauge", "Rows that wait for a slow model.", [({}, counts.waiting_rows)])
    text.family("route_revision", "gauge", "The revision that answers.", [({}, table.revision)])
    text.family("ready", "gauge", "Whether predictions are answered.", [({}, int(engine.is_ready))])
    in_use = [
        (
            {
                "variant": one.variant.name,
                "model": one.model.version.model,
                "version": one.model.version.version,
                "role": role,
                "hash": one.model.version.hash,
            },
            1,
        )
        for role, variants in (("live", table.variants), ("shadow", table.shadows))
        for one in variants
    ]
    text.family("model_info", "gauge", "The versions that answer.", in_use)
    return 200, _HEADERS, text.said()


def _who(series: Series) -> Labels:
    return {
        "variant": series.variant,
        "model": series.model,
        "version": series.version,
        "role": series.role,
        "status": series.status,
    }


class _Text:
    """Lines of the format."""

    def __init__(self, endpoint: str) -> None:
        self._endpoint = endpoint
        self._lines: list[str] = []

    def family(self, name: str, kind: str, help: str, samples: Iterable[tuple[Labels, float]]) -> None:
        """A metric and its samples; the metric is described also where it has none yet."""
        self._lines += [f"# HELP assay_{name} {help}", f"# TYPE assay_{name} {kind}"]
        for labels, value in samples:
            self._sample(name, labels, value)

    def histogram(self, name: str, help: str, series: Sequence[Series]) -> None:
        """Latencies in buckets that add up."""
        self.family(name, "histogram", help, ())
        for one in series:
            who = _who(one)
            bounds = [*map(str, BOUNDS_S), "+Inf"]
            for bound, count in zip(bounds, accumulate(one.buckets), strict=True):
                self._sample(f"{name}_bucket", {**who, "le": bound}, count)
            self._sample(f"{name}_sum", who, one.total_ns / 1e9)
            self._sample(f"{name}_count", who, one.requests)

    def said(self) -> bytes:
        """All of it."""
        return ("\n".join(self._lines) + "\n").encode()

    def _sample(self, name: str, labels: Labels, value: float) -> None:
        all_labels = {"endpoint": self._endpoint, **labels}
        said = ",".join([f'{key}="{str(text).translate(_ESCAPES)}"' for key, text in all_labels.items()])
        self._lines.append(f"assay_{name}{{{said}}} {value}")
