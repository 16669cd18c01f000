"""The commands that docs/ print, and what each installation by them ends with: pages, and a first mail, over verified TLS."""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.image.machine import Machine

ROOT = Path(__file__).resolve().parents[2]
BASE, MAIL = "portal.gatehouse.test", "mx.gatehouse.test"
MESSAGE = b"Subject: first\r\n\r\nOn Monday, by the documents.\r\n"


def blocks(document: str, heading: str = "") -> list[str]:
    """What stands between fences, of a document or of what is under one of its headings."""
    text = (ROOT / "docs" / document).read_text()
    if heading:
        level = heading.split(maxsplit=1)[0]
        found = re.findall(
            rf"^{re.escape(heading)}\n(.*?)(?=^#{{1,{len(level)}}} [A-Z]|\Z)", text, re.MULTILINE | re.DOTALL
        )
        assert len(found) == 1, f"{document} has no longer one {heading}."
        text = found[0]
    return re.findall(r"^```\w*\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def commands(document: str, heading: str) -> list[str]:
    """The lines of a chapter's blocks, in order."""
    return [line for block in blocks(document, heading) for line in block.splitlines() if line]


def block_with(words: str, document: str = "deployment.md") -> str:
    """The one block in which that stands."""
    (found,) = [block for block in blocks(document) if words in block]
    return found


def with_other(text: str, instead: Mapping[str, str]) -> str:
    """What a document has for an example is another name here. Each has to be there."""
    for there, here in instead.items():
        assert there in text, f"The documents no longer have {there!r}."
        text = text.replace(there, here)
    return text


def type_in(machine: Machine, lines: Sequence[str], instead: Mapping[str, str], folder: str) -> None:
    """One after the other, in one shell, but for what can't be done here."""
    assert not set(instead) - set(lines), "The document says it otherwise by now."
    typed = [
        "set -e",
        "shopt -s expand_aliases",
        f"cd {folder}",
        *(instead.get(line, line) for line in lines),
    ]
    (machine.root / "srv/script").write_text("\n".join(typed))
    said = machine.run("bash -x /srv/script 2>&1", seconds=400, check=False)
    journal = machine.run("journalctl --no-pager --lines=120", check=False).stdout
    assert said.returncode == 0, said.stdout[-6000:] + journal


def alias(lines: Sequence[str]) -> str:
    (found,) = [line for line in lines if line.startswith("alias manage=")]
    return f"set -e; shopt -s expand_aliases\n{found}\n"


def sees_pages(machine: Machine) -> None:
    """Of the operators' and of a customer's host."""
    for host in (BASE, f"acme.{BASE}"):
        page = machine.run(f"curl --silent --show-error --fail --location https://{host}/").stdout
        assert "csrfmiddlewaretoken" in page


# Both documents' line for the first of them, and what keeps the password that it prints.
OPERATOR = "manage create_user operator@northwind.example --provider northwind --role owner"
KEEPING_THE_OPERATOR = {OPERATOR: f"{OPERATOR} --json > /srv/operator"}


def ports_named(machine: Machine, box: Mapping[str, str]) -> tuple[int, int]:
    """Of mail in and of mail out, as the operator reads them on the mailbox's page, under Set-up."""
    person = json.loads((machine.root / "srv/operator").read_text())
    for name, value in (("login", person["email"]), ("password", person["password"])):
        (machine.root / "srv" / name).write_text(value)
    browser = "curl --silent --show-error --fail --cookie /srv/cookies --cookie-jar /srv/cookies"
    sign_in = f"https://{BASE}/accounts/login/"
    page = machine.run(f"rm --force /srv/cookies; {browser} {sign_in}").stdout
    token = re.findall(r'name="csrfmiddlewaretoken" value="(\w+)"', page)[0]
    page = machine.run(
        f"{browser} --referer {sign_in} --data csrfmiddlewaretoken={token} --data-urlencode login@/srv/login "
        f"--data-urlencode password@/srv/password --output /dev/null {sign_in}; "
        f"{browser} --location 'https://acme.{BASE}/mailboxes/{box['id']}/?tab=setup'"
    ).stdout
    smtp, pop3s = (re.findall(rf'id="{name}-port"[^>]*>(\d+)<', page) for name in ("google", "archiver"))
    assert len(smtp) == len(pop3s) == 1, page
    return int(smtp[0]), int(pop3s[0])


def sends_and_collects(machine: Machine, place: str) -> None:
    """As the README does, by the ports that the portal names: TLS, verified for the gateway's name. In `place` the mail lies
    sealed meanwhile.
    """
    box = json.loads((machine.root / "srv/mailbox").read_text())
    smtp, pop3s = ports_named(machine, box)
    assert (smtp, pop3s) == (25, 995)
    (machine.root / "srv/mail").write_bytes(MESSAGE)
    machine.run(
        f"curl --silent --show-error --ssl-reqd --mail-from me@example.com --mail-rcpt {box['address']} "
        f"--upload-file /srv/mail smtp://{MAIL}:{smtp}"
    )
    # Files come and go there, which grep minds.
    lying = machine.run(
        f"set -e; test -e {place}; "
        f"grep --recursive --files-with-matches --text 'by the documents' {place} 2> /dev/null || :"
    )
    assert lying.stdout == "", "sealed, wherever it lies"
    collected = machine.run(
        f"curl --silent --show-error --user {box['address']}:{box['password']} pop3s://{MAIL}:{pop3s}/1"
    ).stdout
    assert collected.replace("\r\n", "\n").rstrip().endswith(MESSAGE.decode().replace("\r\n", "\n").rstrip())
