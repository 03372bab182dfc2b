"""Threads and processors, and what computes here."""
