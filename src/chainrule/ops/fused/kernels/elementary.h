/* Elementary functions without branches, so that a loop over them becomes vector instructions. */
