"""Rules that turn each kind of column into features: fitted to training rows, saved as JSON."""
