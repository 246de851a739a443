"""What happens to a gateway whose database was put back: refusing, holding revocations, healing."""
