"""`assay init`: a small project around somebody's table."""

import json
import os
import re
from importlib import resources
from pathlib import Path
from typing import Annotated

import jinja2
import msgspec
import pyarrow as pa

from assay.build.data.expectation_files import to_toml
from assay.build.data.inference import infer_expectations
from assay.build.data.sources import source
from assay.errors import AlreadyExists, InvalidInput, nearest
from assay.operate.project.looking import Guess, look_at
from assay.operation import operation
from assay.record.location import PROJECT_FILE
from assay.record.models.registered_models import check_model_name
from assay.record.store import Store

__all__ = ["TEMPLATES", "NewProject", "init"]

TEMPLATES: dict[str, dict[str, object]] = {  # the params they begin with
    "classification": {"max_iter": 200, "learning_rate": 0.1, "max_leaf_nodes": 15},
    "regression": {"max_iter": 300, "learning_rate": 0.05, "max_leaf_nodes": 31},
    "text": {"C": 10.0},
    "images": {"components": 60, "C": 10.0},
}
_BOOSTING = ("learning_rate = { float = [0.01, 0.3], log = true }", "max_leaf_nodes = { int = [4, 63], log = true }")
_SPACES = {
    "classification": _BOOSTING,
    "regression": _BOOSTING,
    "text": ("C = { float = [0.1, 100.0], log = true }",),
    "images": ("components = { int = [20, 100] }", "C = { float = [0.5, 50.0], log = true }"),
}
_EXPECTATIONS = "expectations.toml"
_OURS = (PROJECT_FILE, "pipeline.py", _EXPECTATIONS)  # a README and a .gitignore that are there stay as they are
_SHOWN = 12  # columns named in a message


class NewProject(msgspec.Struct, frozen=True):
    """What was written, and what was read off the table. `next` is the command to go on with."""

    name: str
    folder: str
    files: list[str]
    template: str
    task: str
    label: str
    rows: int
    ignored: dict[str, str]
    segments: list[str]
    next: str


def check_init(data: str, label: str | None, template: str | None, name: str | None, **_: object) -> None:
    """Refuse what cannot become a project before a store is made."""
    _prepared(data, label, template, name)


@operation("init", creates_store=True, check=check_init, local=True)
def init(
    store: Store,  # noqa: ARG001 - made here, as the place of all that the project records
    data: str,
    *,
    label: Annotated[str | None, "The column to be predicted"] = None,
    template: Annotated[str | None, "classification, regression, text or images; by default read off the table"] = None,
    name: Annotated[str | None, "What project and model are called; by default the name of the file"] = None,
) -> NewProject:
    """Write a small project around a CSV or Parquet file: assay.toml, plain functions, a README.

    It is written into the current folder. `assay run` then goes from the data to a candidate that was judged.

    Raises AlreadyExists where a file of it is there already, InvalidInput for a table that no model can be made of.
    """
    table, guess, called = _prepared(data, label, template, name)
    folder = Path.cwd()
    where = _relative(data, folder)
    values = {
        "name": called,
        "source": where,
        "label": label,
        "rows": f"{table.num_rows:,}",
        "columns": table.num_columns,
        "params": TEMPLATES[guess.template],
        "space": _SPACES[guess.template],
        **msgspec.structs.asdict(guess),
    }
    files = {
        PROJECT_FILE: _filled("assay.toml", values),
        "pipeline.py": _filled(f"{guess.template}.py", values),
        "README.md": _filled("README.md", values),
        ".gitignore": _filled("gitignore", values),
    }
    files = {file: text for file, text in files.items() if file in _OURS or not (folder / file).exists()}
    expected = infer_expectations(table, label=label, time=guess.time)
    files[_EXPECTATIONS] = to_toml(expected)
    for file, text in files.items():
        (folder / file).write_text(text, encoding="utf-8")
    return NewProject(
        name=called,
        folder=str(folder),
        files=list(files),
        template=guess.template,
        task=guess.task,
        label=str(label),
        rows=table.num_rows,
        ignored=guess.why_ignored,
        segments=guess.segments,
        next="assay run",
    )


def _prepared(data: str, label: str | None, template: str | None, name: str | None) -> tuple[pa.Table, Guess, str]:
    """The table, what it says about itself, and what the project will be called."""
    taken = [file for file in _OURS if Path(file).exists()]
    if taken:
        raise AlreadyExists(
            f"{', '.join(taken)} {'are' if len(taken) > 1 else 'is'} there already",
            where=str(Path.cwd()),
            hint="run it in a new folder; nothing was changed",
        )
    if template is not None and template not in TEMPLATES:
        close = nearest(template, list(TEMPLATES))
        raise InvalidInput(
            f"there is no template {template!r}",
            expected=", ".join(TEMPLATES),
            hint=f"--template {close}" if close else None,
        )
    table = source(data).read()
    if label is None:
        more = table.num_columns - _SHOWN
        raise InvalidInput(
            "which column is to be predicted?",
            where=data,
            expected=", ".join(table.column_names[:_SHOWN]) + (f" and {more} more" if more > 0 else ""),
            hint=f"assay init {data} --label {table.column_names[-1]!r}",
        )
    called = name or _name_of(data)
    check_model_name(called)
    return table, look_at(table, label, template), called


def _name_of(data: str) -> str:
    """A name out of an address: of a pattern or a folder, its last word."""
    words = re.findall(r"[A-Za-z][A-Za-z0-9_-]*", re.sub(r"(\.[A-Za-z0-9]+)+$", "", data))
    return str(words[-1]).lower() if words else "model"


def _relative(data: str, folder: Path) -> str:
    """The source as the project file says it: from its folder, where it is a file."""
    if "://" in data or Path(data).is_absolute():
        return data
    return Path(os.path.relpath(data, folder)).as_posix()


def _filled(template: str, values: dict[str, object]) -> str:
    environment = jinja2.Environment(  # noqa: S701 - files, not pages
        undefined=jinja2.StrictUndefined, keep_trailing_newline=True
    )
    environment.filters["quoted"] = _quoted
    environment.filters["listed"] = lambda names: "[" + ", ".join(map(_quoted, names)) + "]"
    text = (resources.files(__package__) / "templates" / f"{template}.jinja").read_text(encoding="utf-8")
    return environment.from_string(text).render(values)


def _quoted(value: object) -> str:
    """A value as TOML and Python both write it; JSON's text is TOML's."""
    return json.dumps(value, ensure_ascii=False)
