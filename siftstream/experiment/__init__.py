"""Which strategy saves labels on your data: an offline experiment before anybody annotates."""
