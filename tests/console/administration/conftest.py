import pytest


@pytest.fixture
def admin(cast, client_for):
    """The browser of platform staff, on the operators' host."""
    return client_for(cast.staff, host=None)
