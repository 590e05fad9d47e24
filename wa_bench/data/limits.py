"""How large a submission may be. What is larger is refused before it is read; ``leaderboard/README.md`` lists these."""

from __future__ import annotations

MOST_BYTES = 256 << 20
"""Bytes of a predictions file, and of all that an archive unpacks to."""
LARGEST_YAML = 64 << 10
"""Bytes of a card."""
LARGEST_SCORES = 4 << 20
"""Bytes of stored scores."""
LARGEST_README = 256 << 10
"""Bytes of a README."""
MOST_ROWS = 2_000_000
"""Rows of predictions."""
MOST_COLUMNS = 64
"""Columns of a table of predictions, wanted or not."""
LONGEST_ID = 256
"""Bytes of a sample id in UTF-8."""
MOST_ID_BYTES = 64 << 20
"""Bytes of all sample ids together."""
LONGEST_LINE = 1 << 20
"""Bytes of a line of a CSV file."""
LARGEST_FOOTER = 1 << 20
"""Bytes of a Parquet file's metadata."""
LARGEST_PAGE = 64 << 20
"""Bytes that a Parquet page may unpack to."""
MOST_PAGES = 20_000
"""Pages of a Parquet file."""
MOST_MEMBERS = 16
"""Files and folders in an archive."""
LARGEST_DIRECTORY = 64 << 10
"""Bytes of the list of files in an archive."""
