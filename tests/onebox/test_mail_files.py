"""Mails that become files are for their owner's eyes, under any umask and in a folder that was open before."""

import os

import pytest
from django.core.mail import EmailMessage, get_connection


@pytest.fixture
def lax():
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.mark.parametrize("existed", [False, True])
def test_a_mail_is_private_and_whole(lax, tmp_path, existed):
    folder = tmp_path / "mail"
    if existed:
        folder.mkdir(mode=0o777)
    backend = get_connection("portal.onebox.mail_files.EmailBackend", file_path=folder)
    for number in range(2):
        EmailMessage(f"Number {number}", "a link", to=["a@acme.example"], connection=backend).send()
    files = list(folder.iterdir())
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {file.stat().st_mode & 0o777 for file in files} == {0o600}
    assert "".join(file.read_text() for file in files).count("a link") == 2
