"""The missing-from-care episode."""
