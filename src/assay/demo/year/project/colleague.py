"""What a colleague made of it: early flights count as late, in the rows that teach and in those that judge."""

import pyarrow as pa
import pyarrow.compute as pc

from assay.demo.year.project.flights import train

__all__ = ["prepare", "train"]


def prepare(table: pa.Table) -> pa.Table:
    """A quarter of an hour off the timetable is late, whatever its sign."""
    off = pc.greater_equal(pc.abs(table["arr_delay"].cast(pa.int32())), 15)
    return table.set_column(table.column_names.index("late"), "late", off.cast(pa.int8()))
