"""Frames of Spark as sources of feature views. Spark is not imported here."""

from collections.abc import Mapping
from typing import Any

from assay.build.views.declared.view import FeatureView
from assay.errors import InvalidInput

__all__ = ["frame_of", "is_spark_frame"]


def is_spark_frame(data: object) -> bool:
    """Whether it is a frame of Spark; Spark is not imported for it."""
    return any(
        kind.__module__.startswith("pyspark.sql") and kind.__name__ == "DataFrame" for kind in type(data).__mro__
    )


def frame_of(view: FeatureView) -> Any:
    """The view's table as a frame of Spark, where its sources are such; else nothing."""
    sources = view.source if isinstance(view.source, Mapping) else {"": view.source}
    inside = [name for name, one in sources.items() if is_spark_frame(one)]
    if not inside:
        return None
    if len(inside) < len(sources):
        raise InvalidInput(
            f"of the sources of {view.name!r} only {', '.join(inside)} are frames of Spark", expected="all of them"
        )
    if view.function is None:
        return view.source
    found = view(**sources) if isinstance(view.source, Mapping) else view(view.source)
    if not is_spark_frame(found):
        raise InvalidInput(
            f"the function of {view.name!r} makes a {type(found).__name__} of frames of Spark",
            expected="a frame of Spark",
            hint="its sources are frames of Spark, so that is what it gets and gives",
        )
    return found
