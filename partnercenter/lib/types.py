"""Names for the types of values that have no better one."""

from typing import Any

Context = dict[str, Any]
"""What a template is rendered with, or the part of it that one function contributes."""
