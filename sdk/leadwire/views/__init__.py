"""What the command line shows: one module for each module of `leadwire.cli`, one function per kind of result."""
