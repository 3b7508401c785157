"""Types shared by modules that have nothing else in common."""

from typing import Any

Context = dict[str, Any]
"""The context of a template, or the part of it that one function contributes."""
