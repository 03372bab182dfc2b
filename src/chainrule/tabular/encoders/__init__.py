"""How each kind of column becomes features: rules that are fitted on training rows, and written as JSON."""
