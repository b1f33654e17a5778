"""What is kept: the tables, their migrations, and the functions that read and write them."""
