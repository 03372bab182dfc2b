"""A fork waits for what must not be half done in the child, which has no thread to complete it."""

import os
from threading import RLock

#: Held for a short change of what the whole process shares, and for an import that comes late: half an import in
#: another thread would hang the child that needs the module. In the same thread one may be within another.
unforked = RLock()

if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=unforked.acquire, after_in_parent=unforked.release, after_in_child=unforked.release)
