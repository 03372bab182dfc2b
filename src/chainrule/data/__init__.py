"""Where rows come from, and how an epoch goes through them.

Each name is imported from the module that defines it: the readers of files need parts of the standard library that
whoever trains on arrays should not wait for.
"""
