"""What the cache in Redis holds: JSON. Django's own serializer runs code that whoever can write there chooses."""

import json
from typing import Any

from redis import DataError


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
