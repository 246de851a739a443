"""The spine of a disclosure and its stages."""
