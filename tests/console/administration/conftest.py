from uuid import uuid4

import pytest
from allauth.socialaccount.models import SocialApp
from django.contrib.admin import site

from tenants.models import DirectoryEntry, IdentityProvider, SpareSchema


@pytest.fixture
def admin(cast, client_for):
    """The browser of platform staff, on the operators' host."""
    return client_for(cast.staff, host=None)


@pytest.fixture
def nothing_empty(cast, acme):
    """Each list of the administration has a row."""
    app = SocialApp.objects.create(
        provider="openid_connect", provider_id="probe", name="probe", client_id="x"
    )
    IdentityProvider.objects.create(
        provider=acme.provider, app=app, kind="oidc", email_domains=["acme.example"]
    )
    DirectoryEntry.objects.create(
        customer=acme,
        mailbox_id=uuid4(),
        address="mbx-probe@gateway.localhost",
        status="active",
        public_key=b"",
        generation=1,
    )
    SpareSchema.objects.create(schema_name="spare_probe", fingerprint="")
    assert all(model._default_manager.exists() for model in site._registry)
