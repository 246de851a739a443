"""From the county's rows to canonical records: the mapping in the county's file, the row rules, the report."""
