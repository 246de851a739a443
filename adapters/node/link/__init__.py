"""The node's wire: the only part of it that speaks gRPC."""
