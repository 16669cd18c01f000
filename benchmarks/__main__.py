"""Run the benchmarks and print one table: `make bench`; what takes longer by its name, `make bench PART=growth`.

docs/benchmarks.md says what the ratios mean.
"""

import sys
import time

from benchmarks import accepting, collecting, customers, greeting, growth, sealing, upgrading
from benchmarks.installation import installed, serving
from benchmarks.measure import table

PARTS = {"customers": customers.main, "growth": growth.main, "upgrading": upgrading.main}


def main() -> None:
    if parts := sys.argv[1:]:
        if unknown := set(parts) - PARTS.keys():
            sys.exit(f"There is no part {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}.")
        for part in parts:
            PARTS[part]()
        return
    began = time.monotonic()
    _say("Sealing and opening ...")
    results = sealing.measure()
    _say("Starting PostgreSQL, Redis and the gateway in a temporary folder ...")
    with (
        installed() as installation,
        serving("manage.py", "gateway", log=installation.folder / "gateway.log") as ports,
    ):
        smtp, _smtps, _pop3, pop3s = ports
        _say("Accepting mail by SMTP ...")
        results += accepting.measure(installation, smtp)
        _say("Waiting for greetings beside a flood ...")
        results += greeting.measure(smtp)
        _say("Collecting it by POP3S ...")
        results += collecting.measure(installation, pop3s)
        _say("Re-encrypting and deleting it by workers ...")
        from benchmarks import jobs, requests, signing_in  # noqa: PLC0415  they bring models, which need the settings

        results += signing_in.measure(installation, pop3s)
        results += jobs.measure(installation)
        _say("Asking for pages and acts with few messages and with many ...")
        results += requests.measure()
    print(table(results))
    _say(f"Medians of three, in {time.monotonic() - began:.0f} s.")


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
