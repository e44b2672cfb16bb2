"""Messages: threads between people or in an organization, cards of records, reports to the admins."""
