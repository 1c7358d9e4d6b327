"""ME. What users may do with their own accounts: read, change profile and password, set up a second factor,
end sessions. Owns no table."""
