"""What `make run` is: a supervisor with embedded services, demo people and mail, and a certificate."""
