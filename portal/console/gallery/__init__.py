"""The page of all parts, for those who build pages: in the demo only."""
