"""Online rows in Redis keep the contract."""

from collections.abc import Iterator

import pytest

from assay.build.views.online.contract import ShelfContract
from assay.build.views.online.redis_shelf import RedisShelf

pytestmark = pytest.mark.redis


class TestRedis(ShelfContract):
    @pytest.fixture
    def shelf(self, redis_address: str) -> Iterator[RedisShelf]:
        opened = RedisShelf(redis_address)
        yield opened
        opened.close()

    @pytest.fixture
    def second(self, shelf: RedisShelf, redis_address: str) -> Iterator[RedisShelf]:
        opened = RedisShelf(redis_address)
        yield opened
        opened.close()
