"""Which cell is what: the sheets of a file to long lists of cells, each with its school, column and stage.

``workbook`` is the way in. Nothing here depends on other files or on corrections.
"""
