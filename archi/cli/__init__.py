"""The command line ``archi``: a command a module, the work itself elsewhere in the package."""
