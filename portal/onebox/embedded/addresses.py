"""Where the embedded services live below a state directory: plain path arithmetic, so that settings may import it."""

from pathlib import Path
from urllib.parse import quote

POSTGRES_PORT = (
    5432  # only names the socket file; always written out, so that a PGPORT around us changes nothing
)
POSTGRES_ROLE = "gatehouse"
POSTGRES_DATABASE = "gatehouse"


def postgres_dir(state_dir: Path) -> Path:
    """The data directory; its socket lies in it too, because it is the one directory PostgreSQL keeps private."""
    return _absolute(state_dir) / "postgres"


def postgres_socket(state_dir: Path) -> Path:
    return postgres_dir(state_dir) / f".s.PGSQL.{POSTGRES_PORT}"


def postgres_url(state_dir: Path, *, role: str = POSTGRES_ROLE, database: str = POSTGRES_DATABASE) -> str:
    """A URL that libpq and dj-database-url both read; the socket's folder stands percent-encoded as the host."""
    return f"postgresql://{role}@{quote(str(postgres_dir(state_dir)), safe='')}:{POSTGRES_PORT}/{database}"


def redis_dir(state_dir: Path) -> Path:
    return _absolute(state_dir) / "redis"


def redis_socket(state_dir: Path) -> Path:
    return redis_dir(state_dir) / "redis.sock"


def redis_url(state_dir: Path) -> str:
    """A URL as redis-py reads it."""
    return f"unix://{quote(str(redis_socket(state_dir)))}"


def _absolute(state_dir: Path) -> Path:
    return Path(state_dir).expanduser().resolve()
