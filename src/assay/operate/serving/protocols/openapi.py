"""The OpenAPI document of an endpoint: its paths, and its columns with their types."""

from collections.abc import Sequence
from importlib.metadata import version as package_version
from typing import Any

import msgspec

from assay.operate.serving.answers import PredictAnswer
from assay.operate.serving.protocols.asking import Asking
from assay.operate.serving.protocols.surface import IDS, UNITS, VARIANT, Surface
from assay.operate.serving.protocols.tensors import DATATYPES

__all__ = ["description"]

_REF = "#/components/schemas/{name}"
_JSON_TYPES = {"BYTES": "string", "BOOL": "boolean", "INT64": "integer"}
_TEXT, _NUMBER, _BOOLEAN, _WHOLE = ({"type": kind} for kind in ("string", "number", "boolean", "integer"))
_VALUE = {"type": ["number", "string", "boolean", "null", "array"]}
_MODEL = [{"name": "model", "in": "path", "required": True, "schema": _TEXT}]
_VERSION = [*_MODEL, {"name": "version", "in": "path", "required": True, "schema": _TEXT}]
Schema = dict[str, Any]


def description(asking: Asking) -> Schema:
    """OpenAPI 3.1 of everything the endpoint answers; it names the columns of the champion and their types."""
    surface, endpoint = asking.surface, asking.engine.endpoint
    (answer,), components = msgspec.json.schema_components([PredictAnswer], ref_template=_REF)
    health = _object(ready=_BOOLEAN, live=_BOOLEAN, revision=_WHOLE)
    about = _object(endpoint=_TEXT, model=_TEXT, version=_WHOLE, revision=_WHOLE, mv_id=_TEXT, hash=_TEXT)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": f"Assay: the endpoint {endpoint}",
            "description": f"Answers with the model {asking.model}.",
            "version": package_version("assay-mlops"),
        },
        "paths": {
            "/predict": _post("Predictions for rows of named columns", _ref("PredictRequest"), answer),
            "/health/live": _get("That the server answers", _object(live=_BOOLEAN)),
            "/health/ready": _get("Whether it answers predictions", health),
            "/version": _get("What answers", about),
            "/invocations": _invocations(),
            "/ping": _get("Whether it answers predictions, as MLflow and SageMaker ask", None),
            "/health": _get("The same", None),
            **_v2("/v2/models/{model}", _MODEL),
            **_v2("/v2/models/{model}/versions/{version}", _VERSION),
            "/v2": _get("What the server is", _ref("ServerMetadata")),
            "/v2/health/live": _get("That the server answers", _object(live=_BOOLEAN)),
            "/v2/health/ready": _get("Whether it answers predictions", _object(ready=_BOOLEAN, live=_BOOLEAN)),
            "/v2/models": _get("The names it answers to", _object(models=_list(_TEXT))),
            "/v2/models/stats": _get("Counts of all versions", _ref("Statistics")),
            "/v2/repository/index": _post("All versions", {"type": "object"}, _list(_ref("IndexEntry"))),
            **{
                f"/v2/repository/models/{{model}}/{what}": {
                    **_post(f"To {what} a version that has no traffic", {"type": "object"}, {"type": "object"}),
                    "parameters": _MODEL,
                }
                for what in ("load", "unload")
            },
            "/ofrep/v1/evaluate/flags/{model}": {
                **_post("Which variant a unit has", _ref("FlagRequest"), _ref("Flag")),
                "parameters": _MODEL,
            },
            "/metrics": {
                "get": {"summary": "Counts for Prometheus", "responses": {"200": _content(_TEXT, "text/plain")}}
            },
            "/openapi.json": _get("This document", {"type": "object"}),
        },
        "components": {"schemas": {**components, **_rows(surface), **_mlflow(surface), **_tensors(surface)}},
    }


def _rows(surface: Surface) -> dict[str, Schema]:
    columns = {name: {"type": [_JSON_TYPES.get(kind, "number"), "null"]} for name, kind in surface.datatypes.items()}
    request = _object(rows={**_list(_ref("Row")), "minItems": 1})
    request["properties"] |= {
        "ids": {**_list(_TEXT), "description": "one for each row; made where there are none"},
        "units": {**_list({"type": ["string", "null"]}), "description": "who each row is about"},
        "explain": {**_BOOLEAN, "description": "say which features were looked up"},
    }
    row = {"type": "object", "properties": columns, "required": surface.required}
    context = {**_object(targetingKey=_TEXT), "description": "the unit, and attributes that a segment looks at"}
    flag = _object(key=_TEXT, value=_TEXT, variant=_TEXT, reason=_TEXT)
    return {
        "Row": row,
        "PredictRequest": request,
        "FlagRequest": _object(context=context),
        "Flag": flag,
        "Error": {"type": "object", "properties": {"error": _TEXT, "errorDetails": _TEXT}},
    }


def _mlflow(surface: Surface) -> dict[str, Schema]:
    frame = {
        "type": "object",
        "properties": {"columns": _list(_TEXT), "data": _list(_list(_VALUE))},
        "required": ["data"],
    }
    columns = {"type": "object", "properties": {name: _list(_VALUE) for name in surface.columns}}
    rows = {"anyOf": [_list(_ref("Row")), _list(_list(_VALUE)), _list(_VALUE)]}
    forms = {
        "dataframe_split": frame,
        "dataframe_records": _list(_ref("Row")),
        "instances": rows,
        "inputs": {"anyOf": [columns, rows]},
    }
    one = _NUMBER if len(surface.classes) <= 2 else {"type": "object", "additionalProperties": _NUMBER}
    answer = _object(predictions=_list(one), prediction_ids=_list(_TEXT))
    return {
        "Invocation": {
            "type": "object",
            "properties": {**forms, "params": {"type": "object", "properties": {UNITS: {}, IDS: {}, VARIANT: _TEXT}}},
            "oneOf": [{"required": [form]} for form in forms],
        },
        "Invoked": answer,
        "InvocationError": _object(error_code=_TEXT, message=_TEXT),
    }


def _tensors(surface: Surface) -> dict[str, Schema]:
    """The messages of the Open Inference Protocol, with the names of the endpoint's tensors."""
    names = [one.name for one in surface.inputs]
    said = f"the inputs are {', '.join(names)}" + (f", or {surface.matrix.name} alone" if surface.matrix else "")
    described = _object(name=_TEXT, datatype={"enum": list(DATATYPES)}, shape=_list(_WHOLE))
    scalars = {"type": "object", "additionalProperties": {"type": ["string", "number", "boolean"]}}
    asked = {
        **described,
        "properties": {**described["properties"], "parameters": _ref("Parameters"), "data": _list(_VALUE)},
    }
    given = _object(**{**described["properties"], "data": _list(_VALUE)})
    given["properties"] |= {"name": {"enum": [one.name for one in surface.outputs]}, "parameters": _ref("Parameters")}
    wanted = {"type": "object", "properties": {"name": _TEXT, "parameters": _ref("Parameters")}, "required": ["name"]}
    request = _object(inputs={**_list(_ref("RequestTensor")), "description": said})
    request["properties"] |= {"id": _TEXT, "parameters": _ref("Parameters"), "outputs": _list(wanted)}
    answer = _object(model_name=_TEXT, outputs=_list(_ref("AnswerTensor")))
    answer["properties"] |= {"model_version": _TEXT, "id": _TEXT, "parameters": _ref("Parameters")}
    metadata = _object(name=_TEXT, platform=_TEXT, inputs=_list(_ref("Tensor")), outputs=_list(_ref("Tensor")))
    metadata["properties"] |= {
        "versions": _list(_TEXT),
        "properties": {"type": "object", "additionalProperties": _TEXT},
    }
    counted = _object(name=_TEXT, version=_TEXT, last_inference=_WHOLE, inference_count=_WHOLE, execution_count=_WHOLE)
    counted["properties"]["inference_stats"] = {
        "type": "object",
        "additionalProperties": _object(count=_WHOLE, ns=_WHOLE),
    }
    return {
        "Parameters": scalars,
        "Tensor": described,
        "RequestTensor": asked,
        "AnswerTensor": given,
        "InferRequest": request,
        "InferAnswer": answer,
        "ServerMetadata": _object(name=_TEXT, version=_TEXT, extensions=_list(_TEXT)),
        "ModelMetadata": metadata,
        "ModelReady": _object(name=_TEXT, ready=_BOOLEAN),
        "Statistics": _object(model_stats=_list(counted)),
        "IndexEntry": _object(name=_TEXT, version=_TEXT, state={"enum": ["READY", "UNAVAILABLE"]}, reason=_TEXT),
    }


def _v2(path: str, parameters: Sequence[Schema]) -> dict[str, Schema]:
    paths = {
        path: _get("Inputs and outputs", _ref("ModelMetadata")),
        f"{path}/ready": _get("Whether it answers predictions", _ref("ModelReady")),
        f"{path}/infer": _post("Predictions for rows of tensors", _ref("InferRequest"), _ref("InferAnswer")),
        f"{path}/stats": _get("Counts and durations", _ref("Statistics")),
        f"{path}/config": _get("Triton's configuration", {"type": "object"}),
    }
    return {name: {**said, "parameters": parameters} for name, said in paths.items()}


def _invocations() -> Schema:
    said = _post("Predictions for rows in MLflow's forms", _ref("Invocation"), _ref("Invoked"))
    said["post"]["requestBody"]["content"]["text/csv"] = {"schema": _TEXT}
    said["post"]["responses"]["4XX"] = _content(_ref("InvocationError"))
    said["post"]["responses"]["415"] = _content(_TEXT, "text/plain")
    return said


def _get(summary: str, schema: Schema | None) -> Schema:
    answer = {"description": summary} if schema is None else _content(schema)
    return {"get": {"summary": summary, "responses": {"200": answer, "4XX": _content(_ref("Error"))}}}


def _post(summary: str, request: Schema, answer: Schema) -> Schema:
    return {
        "post": {
            "summary": summary,
            "requestBody": {"required": True, "content": {"application/json": {"schema": request}}},
            "responses": {"200": _content(answer), "4XX": _content(_ref("Error")), "5XX": _content(_ref("Error"))},
        }
    }


def _content(schema: Schema, kind: str = "application/json") -> Schema:
    return {"description": "an answer", "content": {kind: {"schema": schema}}}


def _ref(name: str) -> Schema:
    return {"$ref": _REF.format(name=name)}


def _list(items: Schema) -> Schema:
    return {"type": "array", "items": items}


def _object(**properties: Schema) -> Schema:
    return {"type": "object", "properties": dict(properties), "required": list(properties)}
