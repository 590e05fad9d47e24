"""JSON inside a page, for its scripts."""

from __future__ import annotations

import json
from typing import Any

from jinja2.utils import htmlsafe_json_dumps
from markupsafe import Markup


def embedded(value: Any) -> Markup:
    """Compact JSON that may stand in a ``<script type="application/json">``: no text in it can end the block."""
    return htmlsafe_json_dumps(value, dumps=json.dumps, separators=(",", ":"), allow_nan=False, ensure_ascii=False)
