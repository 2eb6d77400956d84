"""Modules of PyTorch as a flavour, in an environment of their own: `make test-torch` runs them."""

import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

HERE = Path(__file__).parent


@pytest.mark.torch
def test_modules_are_packaged_without_their_classes_and_answer_the_same(tmp_path: Path) -> None:
    python = Path(os.environ["TORCH_PYTHON"]).absolute()
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(
        [python, HERE / "torch_packaging.py", tmp_path], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    said = json.loads(done.stdout.splitlines()[-1])
    for name, classes in (("line", []), ("classes", [0, 1, 2])):
        found = said[name]
        assert found["classes"] == classes
        assert np.allclose(found["loaded"], found["expected"], atol=1e-6)
        assert np.allclose(found["one"], found["expected"][:1], atol=1e-6)
        assert np.allclose(found["mlflow"], found["expected"], atol=1e-6)
        assert found["required"][0].startswith("torch==")
    assert "2 numbers for a row that are no probabilities" in said["logits"]
    assert "the module cannot be exported" in said["wild"]
    assert said["models"] == ["classes", "line"]
