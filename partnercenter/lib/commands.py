"""The base class of this project's management commands."""

from typing import ClassVar

from django.core.management.base import BaseCommand, CommandError

from partnercenter.lib.csv_files import BadFile
from partnercenter.lib.errors import ActionError


class ConsoleCommand(BaseCommand):
    """A command that reports a refused action or a bad or unreadable file as an error, with exit status 1.

    `exit_statuses` names other statuses for some refusals.
    """

    exit_statuses: ClassVar[dict[type[ActionError], int]] = {}

    def execute(self, *args: object, **options: object) -> str | None:
        try:
            return super().execute(*args, **options)
        except OSError as error:
            raise CommandError(f"{error.filename}: {error.strerror}") from error
        except BadFile as error:
            raise CommandError("\n".join([error.message, *error.lines])) from error
        except ActionError as error:
            raise CommandError(error.message, returncode=self.exit_statuses.get(type(error), 1)) from error
