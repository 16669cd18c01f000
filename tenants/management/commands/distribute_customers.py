"""`manage.py distribute_customers`"""

import logging
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.db import OperationalError

from tenants.management.output import ScriptableCommand, counted
from tenants.pooling import LockLost
from tenants.upgrading import AnotherIsAtWork
from tenants.upgrading.distributing import NoCluster, distribute_customers

log = logging.getLogger("tenants.upgrading")


class Command(ScriptableCommand):
    help = (
        "Give each customer's schema to a node of a Citus cluster. The portal works on meanwhile (docs/cluster.md). "
        "Whatever ends it, run it again and it goes on; with nothing to do it takes a moment."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "--no-wait", action="store_true", help="end with status 1 when an upgrade is at work"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            report = distribute_customers(
                lambda: log.info("An upgrade is at work. Waiting for its end."),
                wait=not options["no_wait"],
                done=lambda schema: log.info("%s is on a node.", schema),
            )
        except AnotherIsAtWork:
            raise CommandError("An upgrade of this database, or another distribution, is at work.") from None
        except NoCluster as error:
            raise CommandError(str(error)) from None
        except LockLost as error:
            raise CommandError(str(error)) from error
        except OperationalError as error:
            raise CommandError(f"The database is away: {str(error).splitlines()[0]}") from error
        except KeyboardInterrupt:
            raise CommandError("Interrupted. Run it again, and it goes on.", returncode=130) from None
        facts = {
            "distributed": report.distributed,
            "emptied": report.emptied,
            "failed": report.failed,
            "seconds": round(report.seconds, 1),
        }
        done = len(report.distributed) + len(report.emptied)
        text = (
            f"{counted(done, 'schema')} distributed in {report.seconds:.1f} s." if done else "Nothing to do."
        )
        self.report(facts, as_json=options["json"], text=text)
        if report.failed:
            raise CommandError(
                "\n".join(
                    [
                        f"{counted(len(report.failed), 'schema')} could not be distributed:",
                        *(f"  {schema}: {trouble}" for schema, trouble in report.failed.items()),
                        "Mend that and run it again; what is done is not done twice.",
                    ]
                )
            )
