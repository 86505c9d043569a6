"""From the cells of all files to one value for each school, year, stage and figure."""
