"""Files that mean harm, made by hand."""
