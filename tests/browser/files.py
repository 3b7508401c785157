"""Files for the file inputs of pages."""

from playwright.sync_api import FilePayload


def csv_file(text: str, name: str = "report.csv") -> FilePayload:
    """A CSV file with this content."""
    return {"name": name, "mimeType": "text/csv", "buffer": text.encode()}
