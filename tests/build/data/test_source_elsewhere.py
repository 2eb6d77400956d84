"""Tables from databases, web servers, buckets and memory."""

import http.server
import socket
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pandas
import polars
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow import fs

from assay.build.data.sources import source
from assay.errors import InvalidInput
from assay.record.sqlstore import SqlStore

ROWS = [{"id": 1, "name": "a"}, {"id": 2, "name": None}]


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "orders.db"
    with sqlite3.connect(path) as connection:
        connection.execute("create table orders (id integer, name text)")
        connection.executemany("insert into orders values (?, ?)", [(1, "a"), (2, None)])
    connection.close()
    return path


@pytest.mark.parametrize("driver", ["sqlite", "adbc+sqlite"])
def test_databases_by_query_and_by_name(database: Path, driver: str) -> None:
    address = f"{driver}:///{database}"
    assert source(address, query="select * from orders order by id").read().to_pylist() == ROWS
    assert source(address, query="select count(*) as n from orders").read().to_pylist() == [{"n": 2}]
    with pytest.raises(InvalidInput, match="the database refuses"):
        source(address, query="select * from nowhere").read()


def test_tables_of_databases_have_nearest_names(database: Path) -> None:
    address = f"sqlite:///{database}"
    assert source(address, query="orders").read().to_pylist() == ROWS
    assert source(address).read().to_pylist() == ROWS, "there is only one"
    with pytest.raises(InvalidInput, match="there is no table 'order'") as caught:
        source(address, query="order").read()
    assert caught.value.hint == "did you mean 'orders'?"
    with sqlite3.connect(database) as connection:
        connection.execute("create table others (id integer)")
    connection.close()
    with pytest.raises(InvalidInput, match="query is not given") as caught:
        source(address).read()
    assert caught.value.expected == "a select, or one of the tables orders, others"


def test_databases_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="there is no file"):
        source(f"sqlite:///{tmp_path}/none.db", query="select 1").read()
    assert not (tmp_path / "none.db").exists(), "a question makes no database"
    with pytest.raises(InvalidInput, match="adbc-driver-nothing is not installed"):
        source("adbc+nothing://host/x", query="select 1").read()
    with pytest.raises(InvalidInput, match="there is no driver for foo://"):
        source("foo://host/x", query="select 1").read()


def test_a_password_is_not_part_of_the_origin() -> None:
    assert source("postgresql://me:secret@host/db", query="select 1").origin == "postgresql://me:***@host/db"
    assert source("https://me:secret@host/rows.csv?token=secret").origin == "https://host/rows.csv"


def test_postgresql(postgres: str) -> None:
    address = postgres.replace("+psycopg", "")
    query = "select 1 as id, 'a' as name union all select 2, null order by id"
    assert source(address, query=query).read().to_pylist() == ROWS


def test_duckdb_files_and_connections(tmp_path: Path, database: Path) -> None:
    path = tmp_path / "rows.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute("create table rows as select 1 as id, 'a' as name union all select 2, null")
        assert source(connection, query="from rows order by id").read().to_pylist() == ROWS
        assert source(connection.sql("from rows order by id")).read().to_pylist() == ROWS
    assert source(path, query="select * from rows order by id").read().to_pylist() == ROWS
    assert source(path, query="rows").read().num_rows == source(path).read().num_rows == 2
    with pytest.raises(InvalidInput, match="the database refuses"):
        source(path, query="select * from nowhere").read()
    plain = sqlite3.connect(database)
    assert source(plain, query="select * from orders").read().to_pylist() == ROWS
    with pytest.raises(InvalidInput, match="query is not given"):
        source(plain).read()
    with pytest.raises(InvalidInput, match="the query gives no rows"):
        source(plain, query="create table x (id integer)").read()
    plain.close()


def test_frames_in_memory(store: SqlStore) -> None:
    frame = pandas.DataFrame(ROWS)
    found = [
        source(ROWS),
        source(frame),
        source(frame[frame["id"] > 0]),
        source(polars.DataFrame(ROWS)),
        source(pa.Table.from_pylist(ROWS)),
    ]
    assert [one.read().to_pylist() for one in found] == [ROWS] * len(found)
    assert source(frame.set_index("id")).read().column_names == ["name", "id"], "an index with a name is a column"
    hashes = {one.snapshot(store, "rows").hash for one in found}
    assert len(hashes) == 1
    assert source(polars.DataFrame(ROWS)).origin == "polars in memory"
    with pytest.raises(InvalidInput, match="the rows are no table"):
        source([{"a": 1}, {"a": "x"}])
    with pytest.raises(InvalidInput, match="the frame is no table"):
        source(pandas.DataFrame({"a": [1, "x"]}))
    with pytest.raises(InvalidInput, match="a dict is not a table"):
        source({"a": [1]})


class Answers(http.server.BaseHTTPRequestHandler):
    """CSV under two names, a file that ends too early, and one whose size is not said."""

    def do_GET(self) -> None:
        body = b"id,name\n1,a\n2,\n"
        path = self.path.partition("?")[0]
        if path == "/secret.csv":
            self.send_error(401)
            return
        if path not in ("/rows.csv", "/short.csv", "/unsaid.csv", "/bad.csv"):
            self.send_error(404)
            return
        if path == "/bad.csv":
            body = b"id,name\n1\n"
        self.send_response(200)
        if path != "/unsaid.csv":
            self.send_header("Content-Length", str(len(body) + 100 * (path == "/short.csv")))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None: ...


@pytest.fixture
def web() -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_files_of_web_servers(web: str, store: SqlStore) -> None:
    for name in ("rows.csv?token=1", "unsaid.csv"):
        assert source(f"{web}/{name}").read().to_pylist() == ROWS
    version = source(f"{web}/rows.csv?token=1").snapshot(store, "rows")
    assert (version.rows, version.source_system) == (2, f"{web}/rows.csv")
    for name, what in (
        ("none.csv", "the server answers 404 Not Found"),
        ("secret.csv", "the server answers 401"),
        ("short.csv", r"the connection ended after 15 of 115 bytes"),
        ("bad.csv", "the line has 1 value, the header has 2"),
    ):
        with pytest.raises(InvalidInput, match=what) as caught:
            source(f"{web}/{name}").read()
        assert str(caught.value.where).startswith(f"{web}/{name}")
    for name in ("rows.csv", "unsaid.csv"):
        with pytest.raises(InvalidInput, match="the file is larger than 1e-05 MB"):
            source(f"{web}/{name}", most_mb=1e-5).read()


def test_a_server_that_is_not_there() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(InvalidInput, match=r"the file cannot be fetched: .*refused"):
        source(f"http://127.0.0.1:{port}/rows.csv").read()


@pytest.fixture(scope="module")
def bucket() -> Iterator[dict[str, object]]:
    """A bucket `data` of a server that speaks S3; how to reach it."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    access = {"access_key": "test", "secret_key": "test", "region": "us-east-1"}
    storage: dict[str, object] = {"endpoint": f"http://{host}:{port}", **access}
    filesystem = fs.S3FileSystem(endpoint_override=f"http://{host}:{port}", allow_bucket_creation=True, **access)
    filesystem.create_dir("data")
    for day in (1, 2):
        with filesystem.open_output_stream(f"data/rows/day=2013-01-0{day}/part.parquet") as file:
            pq.write_table(pa.table({"n": [day]}), file)
    with filesystem.open_output_stream("data/rows.csv") as file:
        file.write(b"id,name\n1,a\n2,\n")
    yield storage
    server.stop()


def test_buckets(bucket: dict[str, object], store: SqlStore) -> None:
    assert source("s3://data/rows.csv", storage=bucket).read().to_pylist() == ROWS
    table = source("s3://data/rows", storage=bucket).read()
    assert [(row["n"], str(row["day"])) for row in table.to_pylist()] == [(1, "2013-01-01"), (2, "2013-01-02")]
    assert source("s3://data/rows/*/part.parquet", storage=bucket).read().num_rows == 2
    assert source("s3://data/rows", storage=bucket).snapshot(store, "rows").rows == 2
    with pytest.raises(InvalidInput, match=r"there is no file s3://data/row\.csv") as caught:
        source("s3://data/row.csv", storage=bucket)
    assert caught.value.hint == "did you mean 's3://data/rows.csv'?"
    with pytest.raises(InvalidInput, match=r"there is no file s3://none/row\.csv"):
        source("s3://none/row.csv", storage=bucket)
    nowhere = {**bucket, "endpoint": "http://127.0.0.1:9", "retry_strategy": fs.AwsStandardS3RetryStrategy(1)}
    with pytest.raises(InvalidInput, match=r"s3://data/rows\.csv cannot be reached"):
        source("s3://data/rows.csv", storage=nowhere)
