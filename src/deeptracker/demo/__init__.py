"""What is there to see without a training of one's own? Small data sets and networks, trained and recorded."""
