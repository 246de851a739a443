"""The exchange: decides, routes and journals, and never sees an identity."""
