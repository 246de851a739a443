"""The command and the messages that every room shares."""
