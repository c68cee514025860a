"""Files that people write, in YAML: text in, typed models out, every fault with line and column.

document    text -> tree of strings with line and column
language    tree -> model, faults in words that a person can act on
scalars     one string -> one typed value, or what to write instead; those that several languages have
file        a file -> its model, or a ConfigError with every fault
"""
