"""How long we take and how long others take for the same, on this machine: what ``python -m benchmarks`` prints.

A *row* is a network, a batch and a recipe; a *contestant* is one library that trains it. Ours and a peer run right
after each other, again and again, and what counts is the median of the paired ratios: what else the machine does falls
on both. Before anything is timed, both train from the same parameters on the same batches in the same order, and a row
whose losses then differ is not printed.
"""
