"""Ports on the database; one schema for log and projections."""
