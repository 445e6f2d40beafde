"""Second implementations to test against: plain loops in double precision, no shared code."""
