"""One module for each plot: `draw(records...) -> Markup`, called from the sections as `plot.<module>(...)`."""
