import subprocess
import sys

import assay.stats


def test_importing_the_room_does_not_import_scipy() -> None:
    code = "import sys, assay.stats; sys.exit('scipy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_public_names_are_there_and_documented() -> None:
    for name in assay.stats.__all__:
        assert getattr(assay.stats, name).__doc__ or name.isupper()
