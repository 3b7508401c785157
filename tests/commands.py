"""Running a command of the console as an operations engineer does."""

from io import StringIO

from django.core.management import call_command


def run_command(*words: object) -> str:
    """Run a command with these arguments; what it prints."""
    output = StringIO()
    call_command(*map(str, words), stdout=output, stderr=StringIO())
    return output.getvalue()
