import json

import pytest
from tests.operate.routing.routes_helpers import promoted
from tests.operate.serving_helpers import ENDPOINT

from assay.errors import InvalidInput
from assay.operate import EndpointDetail
from assay.record.sqlstore import SqlStore
from assay.server.native import listed, run_operation


def test_endpoints_are_split_over_http_with_the_words_of_the_command_line(store: SqlStore) -> None:
    promoted(store)
    names = {one.name for one in listed()}
    wanted = {"endpoint ls", "endpoint reset", "endpoint shadow", "endpoint show", "endpoint split", "endpoint variant"}
    assert wanted <= names
    arguments = {
        "endpoint": ENDPOINT,
        "variant": ["champion=delays@1:3", "challenger=delays@2:1"],
        "coverage": 50,
        "override": "a try",
    }
    with pytest.raises(InvalidInput, match="the body cannot be read"):
        run_operation(store, "endpoint split", b'{"endpoint": "\xff"}')
    detail = run_operation(store, "endpoint split", json.dumps(arguments).encode())
    assert isinstance(detail, EndpointDetail)
    assert [(one.name, one.share) for one in detail.variants] == [("champion", 0.875), ("challenger", 0.125)]
    found = run_operation(store, "endpoint variant", json.dumps({"endpoint": ENDPOINT, "unit": "u"}).encode())
    assert found.unit == "u"
    with pytest.raises(InvalidInput, match="did you mean 'coverage'"):
        run_operation(store, "endpoint split", json.dumps({**arguments, "covrage": 3}).encode())
