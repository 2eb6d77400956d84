"""Online rows in Redis. A generation is one hash; each verb is one script, which Redis runs alone, in one round trip.

How much survives a crash of Redis is a setting of it (`appendonly`, `save`). A cluster of Redis is not served.
"""

import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from assay.build.views.online.shelf import Change, Found, Generation, Want
from assay.errors import InvalidInput, MissingExtra, StoreUnavailable

__all__ = ["RedisShelf"]

_MANY = 2_000  # keys of a command inside a script, and changes of one script: Lua's stack ends at 8,000
_REVISION = struct.Struct(">q")  # in front of the data
_WAIT_S = 30.0

# `views`: hash of a view, its numbers `current` and `building`. `of`: hash of a number, its view and mark. `kept`: hash
# of a number, key -> revision and data.
_NAMES = """
local function view_of(view) return 'assay:online:view:' .. view end
local function about(number) return 'assay:online:of:' .. number end
local function kept(number) return 'assay:online:kept:' .. number end
local function dropped(number) redis.call('UNLINK', kept(number)) redis.call('DEL', about(number)) end
"""
_GENERATIONS = """
local found = {}
for _, role in ipairs({'current', 'building'}) do
  local number = redis.call('HGET', view_of(ARGV[1]), role)
  if number then
    table.insert(found, number)
    table.insert(found, redis.call('HGET', about(number), 'mark'))
  else
    table.insert(found, false)
    table.insert(found, false)
  end
end
return found
"""
_BEGIN = """
local number = redis.call('HGET', view_of(ARGV[1]), 'building')
if not number then
  number = redis.call('INCR', 'assay:online:number')
  redis.call('HSET', view_of(ARGV[1]), 'building', number)
  redis.call('HSET', about(number), 'view', ARGV[1])
end
return tonumber(number)
"""
_INSTALL = """
local view = view_of(ARGV[1])
if redis.call('HGET', view, 'building') ~= ARGV[2] then return end
local before = redis.call('HGET', view, 'current')
redis.call('HSET', view, 'current', ARGV[2])
redis.call('HDEL', view, 'building')
if before then dropped(before) end
"""
_DISCARD = """
local number = redis.call('HGET', view_of(ARGV[1]), 'building')
redis.call('HDEL', view_of(ARGV[1]), 'building')
if number then dropped(number) end
"""
_MARK = "if redis.call('EXISTS', about(ARGV[1])) == 1 then redis.call('HSET', about(ARGV[1]), 'mark', ARGV[2]) end"
_DROP = """
local view = view_of(ARGV[1])
for _, role in ipairs({'current', 'building'}) do
  local number = redis.call('HGET', view, role)
  if number then dropped(number) end
end
redis.call('DEL', view)
"""
_GET = """
local place, found, known = 1, {}, {}
local function next()
  place = place + 1
  return ARGV[place - 1]
end
local function several()
  local count = tonumber(next())
  place = place + count
  return place - count, place - 1
end
local first_known, last_known = several()
for one = first_known, last_known do known[ARGV[one]] = true end
while place <= #ARGV do
  local first_view, last_view = several()
  local first_key, last_key = several()
  for view = first_view, last_view do
    local number = redis.call('HGET', view_of(ARGV[view]), 'current')
    for first = first_key, last_key, MANY do
      local last = math.min(first + MANY - 1, last_key)
      local rows = number and redis.call('HMGET', kept(number), unpack(ARGV, first, last)) or {}
      for one = 1, last - first + 1 do
        local row = rows[one]
        if row and known[string.sub(row, 1, 8)] then row = string.sub(row, 1, 8) end
        table.insert(found, row or false)
      end
    end
  end
end
return found
""".replace("MANY", str(_MANY))
_PUT = """
local done = {}
local alive = redis.call('EXISTS', about(ARGV[1])) == 1
for place = 2, #ARGV, 3 do
  local key, expected, new = ARGV[place], ARGV[place + 1], ARGV[place + 2]
  local is_due = true
  if alive then
    local before = redis.call('HGET', kept(ARGV[1]), key)
    is_due = (before and string.sub(before, 1, 8) or '') == expected
    if is_due and new ~= '' then redis.call('HSET', kept(ARGV[1]), key, new) end
    if is_due and new == '' then redis.call('HDEL', kept(ARGV[1]), key) end
  end
  table.insert(done, is_due and 1 or 0)
end
return done
"""


class RedisShelf:
    """See `shelf.Shelf` for the contract."""

    def __init__(self, address: str) -> None:
        try:
            import redis
        except ImportError:
            raise MissingExtra("redis", "redis") from None
        parts = urlsplit(address)
        self._location = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
        self._fault = redis.RedisError
        try:
            self._client = redis.Redis.from_url(address, socket_timeout=_WAIT_S, socket_connect_timeout=_WAIT_S)
        except ValueError as error:
            raise InvalidInput(
                f"the online store's address cannot be read: {error}", expected="redis://host:port/number"
            ) from error
        self._scripts = {text: self._client.register_script(_NAMES + text) for text in _SCRIPTS}
        with self._faults():
            self._client.ping()

    @property
    def location(self) -> str:
        """The address without its password."""
        return self._location

    def generations(self, view: str) -> list[Generation]:
        """The current one first."""
        current, its_mark, building, other_mark = self._run(_GENERATIONS, view)
        found = [(current, True, its_mark), (building, False, other_mark)]
        return [Generation(int(number), is_current, mark) for number, is_current, mark in found if number is not None]

    def begin(self, view: str) -> int:
        """The one that is being built."""
        return int(self._run(_BEGIN, view))

    def install(self, view: str, number: int) -> None:
        """Swap and drop the one before."""
        self._run(_INSTALL, view, number)

    def discard(self, view: str) -> None:
        """The one that is being built, and its rows."""
        self._run(_DISCARD, view)

    def set_mark(self, number: int, mark: bytes) -> None:
        """Beside the rows."""
        self._run(_MARK, number, mark)

    def get(self, wants: Sequence[Want], known: Sequence[int] = ()) -> dict[str, dict[bytes, Found]]:
        """Of the current generations."""
        asked: list[Any] = [len(known), *map(_REVISION.pack, known)]
        for views, keys in wants:
            asked += [len(views), *views, len(keys), *keys]
        rows = iter(self._run(_GET, *asked))
        found: dict[str, dict[bytes, Found]] = {}
        for views, keys in wants:
            for view in views:
                of_view = found.setdefault(view, {})
                for key in keys:
                    row = next(rows)
                    if row is not None:
                        of_view[key] = _found(row)
        return found

    def rows(self, number: int, keys: Sequence[bytes]) -> dict[bytes, Found]:
        """Of one generation."""
        if not keys:
            return {}
        with self._faults():
            pipeline = self._client.pipeline(transaction=False)
            for first in range(0, len(keys), _MANY):
                pipeline.hmget(f"assay:online:kept:{number}", list(keys[first : first + _MANY]))
            rows = [row for part in pipeline.execute() for row in part]
        return {key: _found(row) for key, row in zip(keys, rows, strict=True) if row is not None}

    def put(self, number: int, changes: Sequence[Change]) -> list[bool]:
        """Each key by itself."""
        done: list[bool] = []
        for first in range(0, len(changes), _MANY):
            given: list[bytes] = []
            for key, expected, revision, data in changes[first : first + _MANY]:
                new = b"" if data is None else _REVISION.pack(revision) + data
                given += (key, _REVISION.pack(expected) if expected else b"", new)
            done += [bool(one) for one in self._run(_PUT, number, *given)]
        return done

    def drop(self, view: str) -> None:
        """All generations."""
        self._run(_DROP, view)

    def close(self) -> None:
        """Of all threads."""
        self._client.close()

    def _run(self, text: str, *given: Any) -> Any:
        with self._faults():
            return self._scripts[text](args=given)

    @contextmanager
    def _faults(self) -> Iterator[None]:
        try:
            yield
        except self._fault as error:
            raise StoreUnavailable(f"the online store failed: {error}", where=self._location) from error


_SCRIPTS = (_GENERATIONS, _BEGIN, _INSTALL, _DISCARD, _MARK, _DROP, _GET, _PUT)


def _found(row: bytes) -> Found:
    return _REVISION.unpack_from(row)[0], row[8:] if len(row) > 8 else None
