"""``chainrule playground``: a page that trains networks with this library, and the protocol behind it."""
