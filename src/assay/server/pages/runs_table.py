"""The table of runs: of an experiment or of all, by a filter, in an order, with the columns that were chosen."""

import re
from urllib.parse import urlencode

import sqlalchemy as sa
from starlette.requests import Request
from starlette.responses import Response

from assay.errors import InvalidInput
from assay.record.schema import TABLES
from assay.record.search.finding import search_runs
from assay.record.search.paging import Page
from assay.record.store import Row, Store
from assay.record.tracking.experiments import experiment
from assay.server.pages.rendering import render
from assay.server.pages.run_columns import Column, column_named, default_columns, keys_of, lines_of
from assay.server.pages.run_groups import groups_of

__all__ = ["show"]

_ROWS = 50
_ATTRIBUTES = ("run_name", "status", "start_time", "end_time - start_time")
_PLACE = re.compile(r"character (\d+) of ")


def show(store: Store, request: Request) -> Response:
    """Runs by `filter` and `order`, from `token` on, in the columns of `show`; counted by the param or tag `group`."""
    asked = request.query_params
    number = request.path_params.get("experiment_id")
    found = experiment(store, number) if number else None
    filter, order = asked.get("filter", "").strip(), asked.get("order", "").strip()
    group = column_named(asked.get("group", ""))
    page, trouble = _page(store, filter, order, number, asked.get("token"))
    runs = _rows(store, page.ids)
    keys = keys_of(store, page.ids)
    columns = _columns(asked.getlist("show"), keys)
    by = order.rsplit(" ", 1) if order.lower().endswith((" asc", " desc")) else [order, "asc"]
    title = found.name if found else "Runs"
    return render(
        store,
        request,
        "runs.html",
        title=title,
        place="/" if found else "/runs",
        experiment=found,
        filter=filter,
        order=order,
        group=asked.get("group", "") if group else "",
        keys=_with_chosen(keys, columns, group),
        shown={(column.entity, column.key) for column in columns},
        trouble=trouble,
        marked=_marked(filter, trouble),
        groups=groups_of(store, request, group, columns, number) if group and not trouble else None,
        columns=columns,
        lines=[] if group else lines_of(store, runs, columns, store.clock.now()),
        total=_total(store, number, page) if not filter and not trouble else _counted(page, asked.get("token")),
        sorted_by=(by[0], by[1].lower()),
        orders={name: _link(request, order=_turned(name, by)) for name in (*_ATTRIBUTES, *(c.name for c in columns))},
        logged=_logged_models(store, number) if number else 0,
        names=_experiment_names(store, runs) if not found else {},
        more=_link(request, token=page.next_token) if page.next_token else None,
    )


def _page(
    store: Store, filter: str, order: str, number: str | None, token: str | None
) -> tuple[Page, InvalidInput | None]:
    """A page of ids, or what is wrong with the filter or the order."""
    try:
        return (
            search_runs(
                store,
                filter,
                experiment_ids=[number] if number else None,
                order_by=[order] if order else [],
                limit=_ROWS,
                token=token,
            ),
            None,
        )
    except InvalidInput as error:
        return Page([], None), error


def _rows(store: Store, ids: list[str]) -> list[Row]:
    rows = {row["run_id"]: row for row in store.query("run", {"run_id in": ids})}
    return [rows[run_id] for run_id in ids if run_id in rows]


def _columns(chosen: list[str], keys: dict[str, dict[str, int]]) -> list[Column]:
    """The columns that were chosen, in that order; a few where nobody did. An empty choice is one too."""
    if not chosen:
        return default_columns(keys)
    named = (column_named(name) for name in chosen)
    return list(dict.fromkeys(column for column in named if column is not None))


def _with_chosen(keys: dict[str, dict[str, int]], columns: list[Column], group: Column | None) -> dict[str, list[str]]:
    """What there is to choose from: what the shown runs have, and what was chosen though they have it not."""
    listed = [*columns, *([group] if group else [])]
    return {
        entity: sorted({*found, *(column.key for column in listed if column.entity == entity)})
        for entity, found in keys.items()
    }


def _marked(filter: str, trouble: InvalidInput | None) -> str:
    """The filter with a sign under the place that is wrong."""
    place = _PLACE.match(trouble.where or "") if trouble else None
    if place is None or not filter:
        return ""
    return f"{filter}\n{' ' * (int(place[1]) - 1)}^"


def _total(store: Store, number: str | None, page: Page) -> int:
    if page.next_token is None and len(page.ids) < _ROWS:
        return len(page.ids)
    run = TABLES["run"]
    statement = sa.select(sa.func.count().label("count")).select_from(run).where(run.c.deleted.is_(None))
    if number:
        statement = statement.where(run.c.experiment_id == number)
    return int(store.select(statement)[0]["count"])


def _counted(page: Page, token: str | None) -> int | None:
    """How many runs there are, where the first page holds all of them."""
    return len(page.ids) if page.next_token is None and token is None else None


def _turned(name: str, by: list[str]) -> str:
    """The order after a click on a column: the largest first, then the smallest, then as without an order."""
    if by[0] != name:
        return f"{name} DESC"
    return f"{name} ASC" if by[1].lower() == "desc" else ""


def _link(request: Request, **changes: str | None) -> str:
    """The address of now with other values; without the token of a page unless that is what changes."""
    kept = [(key, value) for key, value in request.query_params.multi_items() if key not in ("token", *changes)]
    return f"{request.url.path}?{urlencode([*kept, *((key, value) for key, value in changes.items() if value)])}"


def _logged_models(store: Store, number: str) -> int:
    """How many logged models an experiment has."""
    model = TABLES["logged_model"]
    where = (model.c.experiment_id == number, model.c.deleted.is_(None))
    return int(store.select(sa.select(sa.func.count().label("count")).select_from(model).where(*where))[0]["count"])


def _experiment_names(store: Store, runs: list[Row]) -> dict[str, str]:
    rows = store.query("experiment", {"experiment_id in": sorted({run["experiment_id"] for run in runs})})
    return {row["experiment_id"]: row["name"] for row in rows}
