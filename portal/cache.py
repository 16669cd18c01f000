"""What the cache in Redis holds: JSON. Django's own serializer runs code that whoever can write there chooses."""

import json
from typing import Any

from django.core.cache.backends import redis
from redis import DataError


class RedisCache(redis.RedisCache):
    """Django's, which gives nobody what they can't work with."""

    def get(self, key: Any, default: Any = None, version: int | None = None) -> Any:
        """Raises redis.DataError for what is of another kind than the default; a list is one of numbers."""
        found = super().get(key, default, version)
        if default is not None and not _is_like(found, default):
            raise DataError(f"the cache holds a {type(found).__name__} of another kind than was kept")
        return found


def _is_like(found: Any, default: Any) -> bool:
    if type(found) is not type(default):
        return False
    return not isinstance(found, list) or all(type(one) in (int, float) for one in found)


class JSONSerializer:
    """For plain values. Raises TypeError for what would not come back as it was."""

    def dumps(self, value: Any) -> int | str:
        if type(value) is int:
            return value  # so that Redis can count with it
        text = json.dumps(value)
        if json.loads(text) != value:
            raise TypeError(f"a {type(value).__name__} in the cache would come back as something else")
        return text

    def loads(self, data: bytes) -> Any:
        """Raises redis.DataError for what nobody of ours has written: pages then say that Redis fails."""
        try:
            return json.loads(data)
        except (ValueError, RecursionError) as error:
            raise DataError("what the cache holds is no JSON") from error
