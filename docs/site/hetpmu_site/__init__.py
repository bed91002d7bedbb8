"""What the site has beside the pages of docs/: notebooks, the commands, the public Python names, source files."""
