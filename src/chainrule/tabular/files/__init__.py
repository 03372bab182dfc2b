"""Read files of any format, recognised by their contents, into Arrow tables."""
