"""What workers do: slices of jobs. The domain's acts are in mailboxes.services."""
