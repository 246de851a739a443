"""Enrollment, certificates, the directory of keys, revocation."""
