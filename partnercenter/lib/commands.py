"""What the console's own commands have in common."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from partnercenter.lib.csv_files import BadFile
from partnercenter.lib.errors import ActionError


class ConsoleCommand(BaseCommand):
    """A command that tells a refusal as an error, with exit status 1 and nothing changed."""

    def execute(self, *args: Any, **options: Any) -> str | None:
        try:
            return super().execute(*args, **options)
        except OSError as error:
            raise CommandError(f"{error.filename}: {error.strerror}") from error
        except BadFile as bad:
            raise CommandError(bad.told()) from bad
        except ActionError as refusal:
            raise CommandError(refusal.message) from refusal
