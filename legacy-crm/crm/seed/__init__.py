"""Demo data: names.py has the words, generate.py makes the rows, load.py writes them. Commands are in commands.py."""
