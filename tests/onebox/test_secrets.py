import json
import stat

import pytest

from portal.onebox import secrets


def test_secrets_are_made_once_and_kept(tmp_path):
    path = secrets.ensure(tmp_path)
    made = json.loads(path.read_text())
    assert set(made) == {"SECRET_KEY", "GATEHOUSE_WORKER_KEY"}
    assert len(made["SECRET_KEY"]) >= 50
    assert stat.S_IMODE(path.stat().st_mode) == 0o600

    secrets.ensure(tmp_path)
    assert json.loads(path.read_text()) == made


def test_a_secret_that_is_missing_is_added_and_the_others_stay(tmp_path):
    (tmp_path / "secrets.json").write_text(json.dumps({"SECRET_KEY": "old", "MINE": "stays"}))

    completed = json.loads(secrets.ensure(tmp_path).read_text())
    assert (completed["SECRET_KEY"], completed["MINE"]) == ("old", "stays")
    assert completed["GATEHOUSE_WORKER_KEY"]


@pytest.mark.parametrize("content", ["{", "[]"])
def test_a_damaged_file_is_reported_and_not_replaced(tmp_path, content):
    path = tmp_path / "secrets.json"
    path.write_text(content)

    with pytest.raises(ValueError, match="secrets.json is not"):
        secrets.ensure(tmp_path)
    assert path.read_text() == content
