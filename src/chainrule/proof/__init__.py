"""Proofs of derivatives: gradcheck, and the table of sample problems behind the tests and ``chainrule check``."""
