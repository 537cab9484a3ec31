"""One file of wording per language; the file's name is the language's code."""
