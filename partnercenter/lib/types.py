"""Types shared by modules that have nothing else in common."""

from typing import Any

Context = dict[str, Any]
"""What a template is rendered with, or the part of it that one function contributes."""
