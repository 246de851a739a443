"""The published log of a serving gateway: written, witnessed, and what disclosure makes of both."""
