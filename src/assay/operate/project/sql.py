"""Steps in SQL: tables out of tables, for those who write no Python."""

import duckdb
import pyarrow as pa

from assay.build.data.sql import own_database
from assay.build.steps.handles import taken
from assay.build.steps.step import step
from assay.errors import InvalidInput
from assay.operate.project.settings import ProjectFile

__all__ = ["run_sql_steps"]


def run_sql_steps(project: ProjectFile, table: pa.Table) -> pa.Table:
    """The table that the last step of the project makes of `data`; the same table where it has none.

    InvalidInput, naming file and line, for SQL that cannot be run.
    """
    known = {"data": table}
    for number, one in enumerate(project.steps):
        try:
            known[one.name] = taken(table_by_sql(one.sql, known))
        except duckdb.Error as error:
            raise InvalidInput(
                f"step {one.name!r} cannot be run: {str(error).splitlines()[0]}",
                where=project.where("steps", number, "sql"),
                expected=f"SQL about {', '.join(known)}",
            ) from error
        if not known[one.name].num_rows:
            raise InvalidInput(
                f"step {one.name!r} leaves no rows",
                where=project.where("steps", number, "sql"),
                hint="look at its condition",
            )
    return next(reversed(known.values()))


@step
def table_by_sql(sql: str, tables: dict[str, pa.Table]) -> pa.Table:
    """One query over named tables, which are all that it reads: the key of the step knows them."""
    with own_database() as connection:
        for name, table in tables.items():
            connection.register(name, table)
        return connection.sql(sql).to_arrow_table()
