"""What the commands of cli.py do, one module each, imported when the command is called: a light start."""
