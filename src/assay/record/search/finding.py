"""Searches: a filter, an order, and a page of ids. What stands under the ids is loaded by who needs it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from assay.errors import InvalidInput
from assay.record.search.filters import And, Comparison, Node, comparisons, parse_filter
from assay.record.search.keys import Subject
from assay.record.search.mlflow_filters import mlflow_filter, mlflow_order
from assay.record.search.order import Term, order_terms, term_of
from assay.record.search.paging import Page, digest, read_token, token
from assay.record.search.plan import plan
from assay.record.search.statement import ALL_RANKS, Question, split_node, statement
from assay.record.search.subjects import EXPERIMENTS, LOGGED_MODELS, MODELS, RUNS, VERSIONS
from assay.record.store import Store

__all__ = [
    "PROMPT_TAG",
    "MetricOrder",
    "View",
    "search_experiments",
    "search_logged_models",
    "search_models",
    "search_runs",
    "search_versions",
]

Dialect = Literal["assay", "mlflow"]
View = Literal["active", "deleted", "all"]
PROMPT_TAG = "mlflow.prompt.is_prompt"
_VIEWS = {"active": "{0}.deleted IS NULL", "deleted": "{0}.deleted IS NOT NULL", "all": "1=1"}


def search_runs(
    store: Store,
    filter: str = "",
    *,
    experiment_ids: Sequence[str] | None = None,
    view: View = "active",
    order_by: Sequence[str] = (),
    limit: int = 100,
    token: str | None = None,
    dialect: Dialect = "assay",
    late: bool = False,
) -> Page:
    """Ids of the runs that a filter finds, by `order_by`, then the newest first.

    experiment_ids: None for all. late: what came after a run had ended counts too. dialect `mlflow`: its grammar, and
    an infinite value is the largest float. InvalidInput for what is wrong in filter, order or token.
    """
    found = _Search(store, RUNS, filter, order_by, [term_of("start_time DESC", RUNS)], dialect, late=late)
    found.scope(_VIEWS, view)
    if experiment_ids is not None:
        found.within("run.experiment_id", experiment_ids)
    return found.page(limit, token)


def search_experiments(
    store: Store,
    filter: str = "",
    *,
    view: View = "active",
    order_by: Sequence[str] = (),
    limit: int = 100,
    token: str | None = None,
    dialect: Dialect = "assay",
) -> Page:
    """Ids of the experiments that a filter finds, by `order_by`, then the newest first."""
    default = [term_of("creation_time DESC", EXPERIMENTS)]
    found = _Search(store, EXPERIMENTS, filter, order_by, default, dialect)
    found.scope(_VIEWS, view)
    return found.page(limit, token)


def search_models(
    store: Store,
    filter: str = "",
    *,
    order_by: Sequence[str] = (),
    limit: int = 100,
    token: str | None = None,
    dialect: Dialect = "assay",
) -> Page:
    """Keys of the registered models that a filter finds, by `order_by`, then by name; no prompts unless it asks."""
    found = _Search(store, MODELS, filter, order_by, [term_of("name", MODELS)], dialect)
    found.scope(_VIEWS, "active")
    found.prompts()
    return found.page(limit, token)


def search_versions(
    store: Store,
    filter: str = "",
    *,
    order_by: Sequence[str] = (),
    limit: int = 100,
    token: str | None = None,
    dialect: Dialect = "assay",
) -> Page:
    """`mv_id` of the versions found, by `order_by`, then the last changed first; no prompts unless the filter asks."""
    default = [term_of(text, VERSIONS) for text in ("last_updated_timestamp DESC", "name", "version_number DESC")]
    found = _Search(store, VERSIONS, filter, order_by, default, dialect)
    found.scope(
        {
            "active": "{0}.deleted IS NULL AND NOT EXISTS (SELECT 1 FROM registered_model d"
            " WHERE d.name = {0}.model AND d.deleted IS NOT NULL)"
        },
        "active",
    )
    found.prompts()
    return found.page(limit, token)


@dataclass(frozen=True, slots=True)
class MetricOrder:
    """An order of logged models by a metric on a dataset; without a digest on any of that name."""

    field: str
    ascending: bool = True
    dataset_name: str | None = None
    dataset_digest: str | None = None


def search_logged_models(
    store: Store,
    filter: str = "",
    *,
    experiment_ids: Sequence[str] | None = None,
    datasets: Sequence[tuple[str, str | None]] = (),
    order_by: Sequence[str | MetricOrder] = (),
    limit: int = 100,
    token: str | None = None,
    dialect: Dialect = "assay",
) -> Page:
    """Ids of the logged models that a filter finds, by `order_by`, then the newest first.

    datasets: metrics in the filter count on one of these only, as (name, digest), any digest where it is None. A model
    with several values of a metric matches where one of them does; it is sorted by the latest.
    """
    texts = [by if isinstance(by, str) else f"{by.field} {'ASC' if by.ascending else 'DESC'}" for by in order_by]
    default = [term_of("creation_timestamp_ms DESC", LOGGED_MODELS)]
    found = _Search(store, LOGGED_MODELS, filter, texts, default, dialect)
    found.datasets = tuple((name, digest) for name, digest in datasets)
    found.digested.append([list(dataset) for dataset in datasets])
    for number, by in enumerate(order_by):
        if isinstance(by, MetricOrder) and by.dataset_name is not None:
            term = found.terms[number]
            on = ((by.dataset_name, by.dataset_digest),)
            found.terms[number] = replace(term, key=replace(term.key, datasets=on))
            found.digested.append([number, *on[0]])
    found.scope(_VIEWS, "active")
    if experiment_ids is not None:
        found.within("logged_model.experiment_id", experiment_ids)
    return found.page(limit, token)


class _Search:
    """One search on its way to a statement."""

    def __init__(
        self,
        store: Store,
        subject: Subject,
        filter: str,
        order_by: Sequence[str],
        default: Sequence[Term],
        dialect: str,
        *,
        late: bool = False,
    ) -> None:
        self.store = store
        self.subject = subject
        self.late = late
        self.clamped = dialect == "mlflow"
        self.node: Node | None
        if dialect == "mlflow":
            self.node = mlflow_filter(filter, subject)
            self.terms = mlflow_order(list(order_by), subject, list(default))
        else:
            self.node = parse_filter(filter, subject)
            self.terms = order_terms(order_by, subject, default)
        self.scopes: list[tuple[str, Sequence[str] | None]] = []
        self.datasets: tuple[tuple[str, str | None], ...] = ()
        self.digested: list[object] = [subject.name, filter, list(order_by), dialect, late]

    def scope(self, views: dict[str, str], view: str) -> None:
        """Only rows of a view."""
        if view not in views:
            raise InvalidInput(f"view {view!r}", expected=" | ".join(views))
        self.digested.append(view)
        self.scopes.append((views[view].format(self.subject.table), None))

    def within(self, sql: str, values: Sequence[str]) -> None:
        """Only rows where an expression is one of these texts."""
        self.digested.append([sql, *values])
        self.scopes.append((sql, list(values)))

    def prompts(self) -> None:
        """Leave out prompts unless the filter asks for their tag; asking for its contrary finds what lacks it."""
        parts = self.node.parts if isinstance(self.node, And) else ((self.node,) if self.node else ())
        asked = [part for part in parts if isinstance(part, Comparison) and _is_prompt(part)]
        if len(asked) != len([part for part in comparisons(self.node) if _is_prompt(part)]):
            return  # within OR it is a tag like others
        wanted = {(part.operator == "=") == (str(part.values[0]).lower() == "true") for part in asked}
        rest = tuple(part for part in parts if part not in asked)
        self.node = And(rest) if rest else None
        child = self.subject.children["tag"]
        exists = (
            f"EXISTS (SELECT 1 FROM {child.table} p WHERE p.{child.owner} = {self.subject.table}.{child.owner}"
            f" AND p.key = '{PROMPT_TAG}' AND p.value = 'true')"
        )
        self.scopes += [(exists if want else f"NOT {exists}", None) for want in wanted or {False}]

    def page(self, limit: int, text: str | None) -> Page:
        """A page of at most `limit` ids."""
        if limit < 1:
            raise InvalidInput(f"limit is {limit}", expected="1 or more")
        of = digest(*self.digested)
        mark = read_token(text, of, [term.kind for term in self.terms]) if text else None
        joined, rest = split_node(self.node)
        question = Question(
            self.subject,
            joined,
            rest,
            self.scopes,
            self.terms,
            datasets=self.datasets,
            late=self.late,
            clamped=self.clamped,
        )
        question, ranks = plan(self.store, question, limit)
        postgresql = self.store.backend == "postgresql"
        rows: list[dict[str, Any]] = []
        for rank in ranks:
            if mark is None or rank == ALL_RANKS or rank >= mark[0][0][0]:
                missing = limit + 1 - len(rows)
                rows += self.store.select(statement(question, rank, mark, missing, postgresql=postgresql))
            if len(rows) > limit:
                break
        ids = [row["id"] for row in rows]
        if len(rows) <= limit:
            return Page(ids, None)
        last = rows[limit - 1]
        values = tuple((last[f"k{i}"], last[f"o{i}"] if not last[f"k{i}"] else None) for i in range(len(self.terms)))
        return Page(ids[:limit], token((values, ids[limit - 1]), of))


def _is_prompt(part: Comparison) -> bool:
    key = part.key
    return key.entity == "tag" and key.name == PROMPT_TAG and part.operator in ("=", "!=")
