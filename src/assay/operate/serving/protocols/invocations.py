"""MLflow's scoring protocol, whose paths are those of SageMaker's containers too: `/invocations`, `/ping`, `/health`.

JSON holds exactly one of `dataframe_split`, `dataframe_records`, `instances` and `inputs`, and `params`; rows may also
come as CSV. NaN in JSON, which pandas writes for a value that is not there, is a missing value. `predictions` are
numbers, of a model with more classes than two records of their probabilities; `prediction_ids` are what labels name
later. Of the params `assay_unit`, `assay_id` (one for all rows, or a list) and `assay_variant` count, others are passed
over as MLflow does. SageMaker's headers for an inference id and a target variant say the same.
"""

import io
import json
import math
import time
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

import msgspec

from assay.errors import AssayError, InvalidInput
from assay.operate.serving.engine import Answered, Asked, RequestError
from assay.operate.serving.protocols.asking import JSON, Asking, Reply, refusal, text_of
from assay.operate.serving.protocols.surface import IDS, UNITS, VARIANT, Surface

__all__ = ["Invocations"]

INFERENCE_ID = b"x-amzn-sagemaker-inference-id"
TARGET_VARIANT = b"x-amzn-sagemaker-target-variant"
_FORMS = ("dataframe_split", "dataframe_records", "instances", "inputs")
_CHAT = ("messages", "prompt", "input")
_TYPES = ("application/json", "text/csv")
_CODES = {400: "BAD_REQUEST", 404: "ENDPOINT_NOT_FOUND", 429: "REQUEST_LIMIT_EXCEEDED", 503: "TEMPORARILY_UNAVAILABLE"}
_SHOWN = 100  # characters of somebody else's text in a message
_encode = msgspec.json.Encoder().encode
Columns = dict[str, Sequence[Any]]


class Invocations:
    """Answers `/invocations`, `/ping` and `/health`."""

    def __init__(self, asking: Asking) -> None:
        self._asking = asking

    def ping(self) -> Reply:
        """Whether it answers predictions, in MLflow's words: a line end."""
        return 200 if self._asking.engine.is_ready else 503, JSON, b"\n"

    async def invoke(self, headers: dict[bytes, bytes], body: bytes, event_ts: str | None) -> Reply:
        """Predictions for rows in any of the forms, and refusals in MLflow's form."""
        try:
            return await self._invoke(headers, body, event_ts)
        except (AssayError, RequestError) as error:
            status, text, more = refusal(error)
            if status == 415:
                return 415, [(b"content-type", b"text/plain; charset=utf-8"), *more], text.encode()
            code = _CODES.get(status, "INTERNAL_ERROR")
            return status, [*JSON, *more], _encode({"error_code": code, "message": text})

    async def _invoke(self, headers: dict[bytes, bytes], body: bytes, event_ts: str | None) -> Reply:
        started = time.perf_counter_ns()
        surface = self._asking.surface
        params: dict[str, Any] = {}
        if _media_type(headers) == "text/csv":
            columns = _of_csv(surface, body)
        else:
            columns, params = _of_json(surface, body)
        if not columns:
            raise InvalidInput("there are no rows", expected="one or more")
        count = len(next(iter(columns.values())))
        asked = Asked(
            columns=columns,
            ids=_each(params, IDS, count),  # type: ignore[arg-type] # no None among them, it is checked there
            units=_each(params, UNITS, count),
            forced=_header(headers, TARGET_VARIANT) or text_of(params, VARIANT),
            event_ts=event_ts,
            started_ns=started,
        )
        inference_id = _header(headers, INFERENCE_ID)
        if inference_id and asked.ids is None:
            asked.ids = [inference_id] if count == 1 else [f"{inference_id}:{row}" for row in range(count)]
        answered = await self._asking.engine.answer(asked)
        return 200, JSON, _encode({"predictions": _predictions(answered), "prediction_ids": answered.ids})


def _predictions(answered: Answered) -> Sequence[object]:
    if answered.scores is None:
        return answered.outputs
    classes = answered.classes or range(len(answered.scores[0]))
    names = [str(one) for one in classes]
    return [dict(zip(names, row, strict=True)) for row in answered.scores]


def _media_type(headers: Mapping[bytes, bytes]) -> str:
    """The content type, in the words and with the refusals of MLflow."""
    said = headers.get(b"content-type", b"").decode("latin-1")
    kind, *parameters = [part.strip() for part in said.split(";")]
    named = {name.lower(): value for name, _, value in (one.partition("=") for one in parameters)}
    if named.get("charset", "utf-8").strip('"').lower() != "utf-8":
        raise RequestError(415, "The scoring server only supports UTF-8")
    unknown = named.keys() - {"charset"}
    if unknown:
        raise RequestError(415, f"Unrecognized content type parameters: {', '.join(sorted(unknown))[:_SHOWN]}")
    if kind.lower() not in _TYPES:
        raise RequestError(415, f"{said[:_SHOWN]!r} is not supported, expected {' or '.join(_TYPES)}")
    return kind.lower()


def _of_json(surface: Surface, body: bytes) -> tuple[Columns, dict[str, Any]]:
    try:
        said = msgspec.json.decode(body)
    except (ValueError, RecursionError):
        said = _python_json(body)  # what msgspec does not take: NaN
    if not isinstance(said, dict):
        raise InvalidInput("the body is not an object", expected=f"one of {', '.join(_FORMS)} in an object")
    forms = [name for name in _FORMS if name in said]
    if len(forms) != 1:
        chat = [name for name in _CHAT if name in said]
        raise InvalidInput(
            f"the request has the fields {', '.join(said)[:_SHOWN] or '(none)'}",
            expected=f"exactly one of {', '.join(_FORMS)}",
            hint=f"{chat[0]!r} is for models of language, and this one takes rows of columns" if chat else None,
        )
    params = said.get("params") or {}
    if not isinstance(params, dict):
        raise InvalidInput("params are not an object", expected="names with values")
    form, data = forms[0], said[forms[0]]
    if form == "dataframe_split":
        columns = _split(surface, data)
    elif form == "inputs" and isinstance(data, dict):
        columns = _tensors(data)
    else:
        columns = _records(surface, form, data)
    return {name: surface.as_numbers(name, values) for name, values in columns.items()}, params


def _python_json(body: bytes) -> object:
    """JSON as Python and pandas write it, with NaN for what is missing."""

    def constant(name: str) -> None:
        if name != "NaN":
            raise InvalidInput(f"the body holds {name}", expected="finite numbers; null or NaN for a missing value")

    try:
        found = json.loads(body.decode(), parse_constant=constant)
        if b"\\u" in body:
            json.dumps(found, ensure_ascii=False).encode()  # half of a pair of surrogates is no text
    except InvalidInput:
        raise
    except (ValueError, RecursionError) as error:
        raise InvalidInput(f"the body is not JSON: {error}") from None
    return found


def _split(surface: Surface, data: object) -> Columns:
    if not isinstance(data, dict) or not isinstance(data.get("data"), list):
        _refuse("dataframe_split", '{"columns": [...], "data": [[...], ...]}')
    names = data.get("columns")
    if names is None:
        names = surface.columns
    elif not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        _refuse("dataframe_split", "columns that are a list of names")
    return _rows_of(list(names), data["data"], "dataframe_split")


def _records(surface: Surface, form: str, data: object) -> Columns:
    """Rows that are objects, or lists of values in the order of the columns, or single values."""
    if not isinstance(data, list):
        _refuse(form, "a list of rows")
    if not data:
        return {}
    if isinstance(data[0], dict):
        names = list(data[0])
        for row, record in enumerate(data):
            if not isinstance(record, dict) or record.keys() != data[0].keys():
                _refuse(form, f"rows with the same columns; row {row} has not those of row 0")
        return {name: [record[name] for record in data] for name in names}
    if form == "dataframe_records":
        _refuse(form, "a list of objects")
    rows = data if isinstance(data[0], list) else [[value] for value in data]
    return _rows_of(surface.columns, rows, form)


def _rows_of(names: list[str], rows: Sequence[object], form: str) -> Columns:
    for row, values in enumerate(rows):
        if not isinstance(values, list) or len(values) != len(names):
            _refuse(form, f"{len(names)} values in each row ({', '.join(names)}); row {row} differs")
    if len(set(names)) < len(names):
        _refuse(form, "each column once")
    if not rows:
        return {}
    return dict(zip(names, map(list, zip(*rows, strict=True)), strict=True))


def _tensors(data: dict[str, Any]) -> Columns:
    """Columns as lists, or as lists of lists of one; a single value is a row of its own."""
    columns: Columns = {}
    for name, values in data.items():
        listed = values if isinstance(values, list) else [values]
        if listed and all(isinstance(value, list) and len(value) == 1 for value in listed):
            listed = [value[0] for value in listed]
        columns[name] = listed
    lengths = {len(values) for values in columns.values()}
    if len(lengths) > 1:
        _refuse("inputs", "columns of one length")
    return columns if lengths != {0} else {}


def _of_csv(surface: Surface, body: bytes) -> Columns:
    import pyarrow as pa
    from pyarrow import csv

    types = {"BYTES": pa.string(), "INT64": pa.int64(), "BOOL": pa.bool_()}
    kinds = {name: types.get(datatype, pa.float64()) for name, datatype in surface.datatypes.items()}
    options = csv.ConvertOptions(
        column_types=kinds,
        null_values=["", "NA", "NaN", "nan", "null", "None"],
        strings_can_be_null=True,
        quoted_strings_can_be_null=False,
    )
    try:
        table = csv.read_csv(io.BytesIO(body), csv.ReadOptions(use_threads=False), convert_options=options)
        names = table.column_names  # decoded here
    except (pa.ArrowInvalid, UnicodeDecodeError) as error:
        raise InvalidInput(f"the body cannot be read as CSV: {str(error)[:300]}") from None
    columns: Columns = {  # pandas writes its index under no name
        name: table.column(place).to_pylist() for place, name in enumerate(names) if name
    }
    for name, values in columns.items():
        if any(isinstance(value, float) and math.isinf(value) for value in values):
            raise InvalidInput(f"column {name[:_SHOWN]!r} holds an infinite number", expected="finite numbers")
    return columns if table.num_rows else {}


def _each(params: Mapping[str, Any], name: str, count: int) -> list[str | None] | None:
    """A param for each row: one text for all of them, or a list of texts."""
    said = params.get(name)
    if said is None:
        return None
    if isinstance(said, str):
        if name == IDS and count > 1:
            raise InvalidInput(f"the param {name} is one text for {count} rows", expected="a list, one for each row")
        return [said] * count
    optional = name == UNITS
    if not isinstance(said, list) or not all(isinstance(one, str) or (optional and one is None) for one in said):
        raise InvalidInput(f"the param {name} is {str(said)[:_SHOWN]}", expected="text, or a list of texts")
    return list(said)


def _header(headers: Mapping[bytes, bytes], name: bytes) -> str | None:
    return headers[name].decode("latin-1") if headers.get(name) else None


def _refuse(form: str, expected: str) -> NoReturn:
    raise InvalidInput(f"{form} cannot be read", expected=expected)
