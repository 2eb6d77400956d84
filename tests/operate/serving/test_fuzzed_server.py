"""A running server that is sent broken requests of all protocols for FUZZ_SECONDS; `make fuzz` takes an hour."""

import asyncio
import os
import sys
from pathlib import Path

import pytest
from tests.operate.serving.fuzzing import Fuzz, add_endpoint
from tests.operate.serving_helpers import ENDPOINT, serve_command

from assay.operate.predictions.folder import log_folder
from assay.operate.serving.client import ServerProcess
from assay.operate.serving.protocols.oip_grpc import grpc_port
from assay.record.sqlstore import SqlStore

SECONDS = float(os.environ.get("FUZZ_SECONDS", "60"))
SEED = int(os.environ.get("FUZZ_SEED", "7"))
GROWTH_MB = 64.0


@pytest.mark.slow
@pytest.mark.no_cover
def test_broken_requests_neither_stop_nor_slow_nor_fill_a_server(store: SqlStore, tmp_path: Path) -> None:
    add_endpoint(store)
    free = grpc_port("127.0.0.1", 0)
    command = serve_command(tmp_path / "store")
    command[-1] = command[-1].replace("port=0", f"port=0, grpc_port={free}")
    with ServerProcess(store, ENDPOINT, command=command) as server:
        fuzz = Fuzz(server.url, server.pid, log_folder(store, ENDPOINT), SEED)
        asyncio.run(fuzz.run(SECONDS, grpc_port=free))
        said = os.pread(server._errors.fileno(), 1 << 20, 0).decode(errors="replace")
    sys.stderr.write(fuzz.summary())
    assert not fuzz.findings, "\n".join(fuzz.findings.values())
    assert "Traceback" not in said, said[-5000:]
    assert fuzz.grown() < GROWTH_MB, fuzz.memory[:: max(1, len(fuzz.memory) // 50)]
    assert fuzz.rows > 100
