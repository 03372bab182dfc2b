"""What every room stands on: checks and the sentences of errors, and files that are written whole or not at all."""
