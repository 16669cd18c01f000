from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from tests.gateway.kit import Certificates, Clients, gateway_running


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def start_gateway(committed_db: object, certificates: Certificates) -> Iterator[Callable[..., Clients]]:
    """Starts gateways, with changes to their Configuration; they stop when the test ends."""
    with ExitStack() as stack:
        yield lambda **changes: stack.enter_context(gateway_running(certificates, **changes))


@pytest.fixture
def gateway(start_gateway: Callable[..., Clients]) -> Clients:
    return start_gateway()
