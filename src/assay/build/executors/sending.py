"""Tasks as bytes for a process that imports the project's code itself, and what comes back from there."""

import io
import pickle
import types
from collections.abc import Mapping
from typing import Any

from assay.build.executors.executor import Task
from assay.errors import InvalidInput, TaskFailed

__all__ = ["arrived", "packed"]

_WORKER_IMPORTS = "a worker imports functions and classes by the name of their module"


def packed(task: Task) -> bytes:
    """Function and arguments, pickled by the names of modules; InvalidInput, naming the task, where that cannot be."""
    buffer = io.BytesIO()
    try:
        _Pickler(buffer, protocol=5).dump((task.function, task.args, dict(task.kwargs)))
    except InvalidInput as error:
        raise InvalidInput(f"task {task.name!r}: {error.what}", expected=error.expected, hint=error.hint) from None
    except Exception as error:  # objects raise what they like when they are pickled
        raise InvalidInput(
            f"task {task.name!r} cannot be sent to a worker: {error}",
            expected="a function at the top of a module, with arguments that pickle can write",
            hint="move it there, pass plain values or paths, or run it in threads",
        ) from error
    return buffer.getvalue()


class _Pickler(pickle.Pickler):
    def reducer_override(self, found: Any) -> Any:
        if isinstance(found, types.FunctionType | type) and found.__module__ == "__main__":
            raise InvalidInput(
                f"{found.__qualname__} stands in the program itself, where a worker cannot import it",
                expected=_WORKER_IMPORTS,
                hint="move it into a file of its own and import it from there, or run it in threads",
            )
        return NotImplemented


def arrived(
    name: str, place: str, said: Mapping[str, Any], result: bytearray | memoryview
) -> tuple[Any, BaseException | None]:
    """The value of a task or its error, from what `child.run_call` said about it in another process."""
    if said["stage"] == "done":
        try:
            return pickle.loads(result), None  # noqa: S301 # from a worker of our own
        except Exception as failure:  # noqa: BLE001 # any class may refuse what pickle gives it
            return None, _unsendable_result(name, said["kind"], str(failure))
    if said["stage"] == "send":
        return None, _unsendable_result(name, said["kind"], said["text"])
    error = _came_back(name, said)
    return None, _unimportable(name, error, place) if said["stage"] == "import" else error


def _came_back(name: str, said: Mapping[str, Any]) -> BaseException:
    """The exception that was raised there; one that cannot be made again here is a TaskFailed with class and text."""
    error: object = None
    text = said["text"]
    try:
        error = pickle.loads(said["error"]) if said["error"] else None  # noqa: S301 # from a worker of our own
    except Exception as failure:  # noqa: BLE001 # any class may refuse what pickle gives it
        text = f"{text} (it cannot be raised again here: {failure})"
    if not isinstance(error, BaseException):
        error = TaskFailed(f"task {name!r} raised {said['class']}: {text}")
    error.add_note(f"in the worker of task {name!r}:\n{said['traceback']}")
    return error


def _unimportable(name: str, error: BaseException, place: str) -> BaseException:
    """What to say when a worker could not make the function and arguments of a task out of their bytes."""
    if isinstance(error, ModuleNotFoundError):
        return InvalidInput(
            f"task {name!r}: a worker cannot import the module {error.name!r}",
            where=place,
            expected=_WORKER_IMPORTS,
            hint="start from the folder that it lies in, or install it where the worker runs",
        )
    if isinstance(error, AttributeError | ImportError):
        return InvalidInput(
            f"task {name!r}: a worker cannot import what it needs: {error}",
            where=place,
            expected="the same code there as here",
            hint="save the file, and open the executor again after a change of the code",
        )
    return error


def _unsendable_result(name: str, kind: str, why: str) -> InvalidInput:
    """What to say when the result of a task cannot leave the worker, or not arrive here."""
    return InvalidInput(
        f"the result of task {name!r} cannot be sent back: {why}",
        where=f"a {kind}",
        expected="something that pickle can write and read",
        hint="return numbers, tables, arrays or the path of a file, or run it in threads",
    )
