"""The edge: server, interceptor, method table, error table, thin servicers."""
