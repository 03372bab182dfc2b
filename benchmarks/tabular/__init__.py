"""The parts of ``python -m benchmarks tables``: open tables, learners, one fit in a process of its own, a summary."""
