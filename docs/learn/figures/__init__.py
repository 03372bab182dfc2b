"""What draws the figures of the book: one module a chapter, and the style that they share."""
