"""Raw text to typed records and columns."""
