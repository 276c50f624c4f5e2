"""Any program that takes a prompt on its standard input and prints its answer."""
