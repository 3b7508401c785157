"""Remove what is no longer needed: rows of tasks, uploads of ended jobs, ended sessions."""

from argparse import ArgumentParser
from typing import Any

from partnercenter.actions.housekeeping import remove_leftovers
from partnercenter.lib.commands import ConsoleCommand


class Command(ConsoleCommand):
    help = "Remove rows of tasks, uploads of ended jobs and ended sessions; say how many."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="Only say what would be removed.")

    def handle(self, *, dry_run: bool, **_options: Any) -> None:
        verb = "Would remove" if dry_run else "Removed"
        for name, number in remove_leftovers(dry_run=dry_run).items():
            self.stdout.write(f"{verb} {name}: {number}")
