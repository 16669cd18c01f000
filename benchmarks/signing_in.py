"""How many archivers sign in by POP3S in a second, against the bare derivations that they pay for."""

import poplib
import ssl
from concurrent.futures import ThreadPoolExecutor
from itertools import repeat

from accounts.actors import SYSTEM
from benchmarks.installation import Installation, gateway_in_two
from benchmarks.measure import Result, compare
from mailboxes.services import create_mailbox
from mailboxes.vault import Secret, WrongPassword, decoy_password_lock, new_password, open_password_lock
from tenants.models import Customer

ARCHIVERS = 8  # at once, each with a mailbox of its own
ROUNDS = 25  # of each in one turn
SECONDS = 60


def measure(installation: Installation, pop3s_port: int) -> list[Result]:
    """Connection, TLS, password, an empty maildrop, QUIT; as often as an archiver comes."""
    trust = ssl.create_default_context(cafile=str(installation.folder / "tls" / "cert.pem"))
    customer = Customer.objects.get(slug="acme")
    boxes = [create_mailbox(customer, name=f"Archiver {number}", by=SYSTEM) for number in range(ARCHIVERS)]
    logins = [(mailbox.address, password) for mailbox, password in boxes]

    def visit(port: int, login: tuple[str, Secret]) -> None:
        address, password = login
        for _ in range(ROUNDS):
            client = poplib.POP3_SSL("localhost", port, timeout=SECONDS, context=trust)
            client.user(address)
            client.pass_(password.reveal())
            client.quit()

    def derive(password: Secret) -> None:
        for _ in range(ROUNDS):
            lock, context = decoy_password_lock()
            try:
                open_password_lock(lock, password, context=context)
            except WrongPassword:
                continue

    with ThreadPoolExecutor(ARCHIVERS) as hands:

        def rate(what: str, port: int) -> Result:
            return compare(
                what,
                amount=ARCHIVERS * ROUNDS,
                unit="sign-ins/s",
                ours=lambda: list(hands.map(visit, repeat(port), logins)),
                baseline=lambda: list(hands.map(derive, repeat(new_password(), ARCHIVERS))),
                baseline_name="the same derivations of Argon2id, on the same cores",
            )

        one = rate(f"POP3S signing in, {ARCHIVERS} at once", pop3s_port)
        with gateway_in_two(installation.folder / "gateways.log") as ports:
            return [one, rate("the same, two gateway processes", ports[3])]
