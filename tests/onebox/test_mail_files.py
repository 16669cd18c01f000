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


@pytest.mark.skipif(os.geteuid() != 0, reason="Only root can give a folder to somebody else.")
def test_a_folder_of_somebody_elses_stays_as_it_is(tmp_path):
    """That of docker/systemd/gatehouse.tmpfiles: several users write into it, and none reads what another wrote."""
    (folder := tmp_path / "mail").mkdir()
    os.chown(folder, 1, 1)
    folder.chmod(0o3730)
    backend = get_connection("portal.onebox.mail_files.EmailBackend", file_path=folder)
    EmailMessage("An invitation", "a link", to=["a@acme.example"], connection=backend).send()
    (file,) = folder.iterdir()
    assert (folder.stat().st_mode & 0o7777, file.stat().st_mode & 0o777) == (0o3730, 0o600)
