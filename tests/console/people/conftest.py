import pytest


@pytest.fixture
def team(client_for):
    """A browser on the base host."""
    return lambda user: client_for(user, host=None)
