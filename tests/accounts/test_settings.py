"""What people say about themselves: name and language."""

import pytest

from accounts.models import User

SETTINGS = "/settings/"


def save(client, **fields):
    return client.post(SETTINGS, {"name": "Ada", "language": "", **fields}, follow=True)


@pytest.mark.parametrize("host", [None, "acme"])
def test_the_language_changes_at_once_and_stays(cast, client_for, host):
    client = client_for(cast.admin, host=host)
    page = save(client, language="de")
    assert '<html lang="de"' in page.content.decode()
    assert '<html lang="de"' in client.get(SETTINGS).content.decode()
    assert [message.level_tag for message in page.context["messages"]] == ["success"]
    assert User.objects.get(pk=cast.admin.pk).language == "de"


def test_the_chosen_language_wins_over_the_browsers(cast, client_for):
    client = client_for(cast.admin)
    save(client, language="en")
    page = client.get(SETTINGS, headers={"accept-language": "de"})
    assert page["Content-Language"] == "en"
    save(client, language="")
    page = client.get(SETTINGS, headers={"accept-language": "de"})
    assert '<html lang="de"' in page.content.decode()


def test_before_signing_in_the_browsers_language_counts(db, client_for):
    page = client_for(host=None).get("/accounts/login/", headers={"accept-language": "de"})
    assert '<html lang="de"' in page.content.decode()


def test_the_name_is_shown_at_the_upper_right(cast, client_for):
    page = save(client_for(cast.admin), name="Ada <b>Lovelace</b>").content.decode()
    assert "<summary>Ada &lt;b&gt;Lovelace&lt;/b&gt;</summary>" in page


def test_without_a_name_the_address_is_shown(cast, client_for):
    assert "<summary>admin@acme.example</summary>" in save(client_for(cast.admin), name="").content.decode()


@pytest.mark.parametrize("wrong", [{"language": "xx"}, {"name": "x" * 101}])
def test_what_does_not_fit_is_refused_with_a_reason(cast, client_for, wrong):
    page = save(client_for(cast.admin), **wrong)
    assert page.context["form"].errors
    assert 'class="errors"' in page.content.decode()
    assert User.objects.get(pk=cast.admin.pk).name == cast.admin.name


def test_nobody_changes_more_than_name_and_language(cast, client_for):
    save(client_for(cast.admin), email="other@acme.example", is_staff="on", is_superuser="on")
    after = User.objects.get(pk=cast.admin.pk)
    assert (after.email, after.is_staff, after.is_superuser) == ("admin@acme.example", False, False)


@pytest.mark.parametrize("host", [None, "acme"])
def test_no_page_of_the_frame_needs_another_host_or_inline_code(cast, client_for, host):
    page = client_for(cast.admin, host=host).get(SETTINGS)
    text = page.content.decode()
    assert "style=" not in text and "<style" not in text and " onclick" not in text
    assert "<script>" not in text
    policy = page["Content-Security-Policy"]
    assert "unsafe" not in policy
    assert "default-src 'self'" in policy
