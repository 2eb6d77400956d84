"""The messages of the Open Inference Protocol over gRPC, made when they are needed.

They live in a pool of their own: other packages register the same names in the default one, and two that do so cannot
be imported together.
"""

from functools import cache
from typing import Any

__all__ = ["SERVICE", "messages"]

SERVICE = "inference.GRPCInferenceService"
_PACKAGE = "inference"

# Of each message its fields: a number, a name and a type. `*` repeats, `{}` is a map from text, `|` one of several.
_FIELDS = {
    "ServerLiveRequest": "",
    "ServerLiveResponse": "1 live bool",
    "ServerReadyRequest": "",
    "ServerReadyResponse": "1 ready bool",
    "ModelReadyRequest": "1 name string, 2 version string",
    "ModelReadyResponse": "1 ready bool",
    "ServerMetadataRequest": "",
    "ServerMetadataResponse": "1 name string, 2 version string, 3 extensions *string",
    "ModelMetadataRequest": "1 name string, 2 version string",
    "ModelMetadataResponse.TensorMetadata": "1 name string, 2 datatype string, 3 shape *int64",
    "ModelMetadataResponse": "1 name string, 2 versions *string, 3 platform string, 4 inputs *.TensorMetadata, "
    "5 outputs *.TensorMetadata",
    "InferParameter": "1 bool_param |bool, 2 int64_param |int64, 3 string_param |string, 4 double_param |double, "
    "5 uint64_param |uint64",
    "InferTensorContents": "1 bool_contents *bool, 2 int_contents *int32, 3 int64_contents *int64, "
    "4 uint_contents *uint32, 5 uint64_contents *uint64, 6 fp32_contents *float, 7 fp64_contents *double, "
    "8 bytes_contents *bytes",
    "ModelInferRequest.InferInputTensor": "1 name string, 2 datatype string, 3 shape *int64, "
    "4 parameters {}InferParameter, 5 contents InferTensorContents",
    "ModelInferRequest.InferRequestedOutputTensor": "1 name string, 2 parameters {}InferParameter",
    "ModelInferRequest": "1 model_name string, 2 model_version string, 3 id string, 4 parameters {}InferParameter, "
    "5 inputs *.InferInputTensor, 6 outputs *.InferRequestedOutputTensor, 7 raw_input_contents *bytes",
    "ModelInferResponse.InferOutputTensor": "1 name string, 2 datatype string, 3 shape *int64, "
    "4 parameters {}InferParameter, 5 contents InferTensorContents",
    "ModelInferResponse": "1 model_name string, 2 model_version string, 3 id string, 4 parameters {}InferParameter, "
    "5 outputs *.InferOutputTensor, 6 raw_output_contents *bytes",
}


@cache
def messages() -> dict[str, Any]:
    """The class of each message by its name."""
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

    file = descriptor_pb2.FileDescriptorProto(name="assay/inference.proto", package=_PACKAGE, syntax="proto3")
    made: dict[str, Any] = {}
    for path in sorted(_FIELDS, key=lambda path: path.count(".")):  # a message before what is nested in it
        outer, _, name = path.rpartition(".")
        made[path] = made[outer].nested_type.add(name=name) if outer else file.message_type.add(name=name)
    for path, fields in _FIELDS.items():
        for field in filter(None, fields.split(", ")):
            _add_field(made[path], path, *field.split(" "))
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {
        name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.{name}"))
        for name in _FIELDS
        if "." not in name
    }


def _add_field(message: Any, path: str, number: str, name: str, said: str) -> None:
    kind = said.lstrip("*{}|")
    field = message.field.add(name=name, number=int(number))
    field.label = field.LABEL_REPEATED if said[0] in "*{" else field.LABEL_OPTIONAL
    if said.startswith("{}"):
        entry = message.nested_type.add(name=f"{name.title().replace('_', '')}Entry")
        entry.options.map_entry = True
        _add_field(entry, path, "1", "key", "string")
        _add_field(entry, path, "2", "value", kind)
        field.type, field.type_name = field.TYPE_MESSAGE, f".{_PACKAGE}.{path}.{entry.name}"
    elif kind[0] == "." or kind[0].isupper():
        full = f"{path}{kind}" if kind[0] == "." else kind
        field.type, field.type_name = field.TYPE_MESSAGE, f".{_PACKAGE}.{full}"
    else:
        field.type = getattr(field, f"TYPE_{kind.upper()}")
    if said.startswith("|"):
        if not message.oneof_decl:
            message.oneof_decl.add(name="parameter_choice")
        field.oneof_index = 0
