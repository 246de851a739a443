"""Token keys: who holds a share, how it is dealt, how it evaluates."""
