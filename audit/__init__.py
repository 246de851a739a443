"""The log and its verifier: evidence that its own operator cannot rewrite."""
