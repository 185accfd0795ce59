"""Numbers to Plotly figures, for pages, reports and `runs.plot`: a module a kind of figure."""
