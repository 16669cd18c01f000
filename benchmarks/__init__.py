"""What safety costs: our speed as a ratio to something that promises less, both measured in the same run."""
